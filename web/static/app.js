// Starts what a page has. Pages work without scripts: everything here adds to them.
import "./js/preferences.js";
import "./js/menu.js";
import "./js/times.js";
import "./js/live.js";
import "./js/chart.js";
import "./js/output.js";
import "./js/schedule.js";
import "./js/choose.js";
import "./js/once.js";
import "./js/conditions.js";
import "./js/copy.js";
import "./js/account.js";
import "./js/passkey.js";
