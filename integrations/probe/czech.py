"""The probe in Czech: translations by English template."""

from __future__ import annotations

from collections.abc import Mapping

TRANSLATIONS: Mapping[str, str] = {
    # States and checks
    "OK": "OK",
    "WARNING": "VAROVÁNÍ",
    "FAILURE": "SELHÁNÍ",
    "SKIPPED": "VYNECHÁNO",
    "disk": "disk",
    "inodes": "i-uzly",
    "memory": "paměť",
    "swap": "odkládací prostor",
    "load": "zátěž",
    "time": "čas",
    "service": "služba",
    "process": "proces",
    "certificate": "certifikát",
    # Figures
    "{used:.1f}% of {total} used, {free} free": "využito {used:.1f} % z {total}, volno {free}",
    "{used:.1f}% of {total} used, {available} available": "využito {used:.1f} % z {total}, k dispozici {available}",
    "{used:.1f}% of {total} used": "využito {used:.1f} % z {total}",
    "{load:.2f} per core over {minutes} min ({cores} cores)": "{load:.2f} na jádro za {minutes} min (jader: {cores})",
    "{days:.0f} days left, until {until}": "zbývá dnů: {days:.0f}, platí do {until}",
    "off by {offset:+.3f} s, round trip {delay:.3f} s": "odchylka {offset:+.3f} s, odezva {delay:.3f} s",
    "synchronised ({source}), error about {error:.3f} s": "synchronizován ({source}), chyba asi {error:.3f} s",
    "not synchronised ({source})": "není synchronizován ({source})",
    "running: {count}": "běží: {count}",
    "{active} ({sub})": "{active} ({sub})",
    # Thresholds
    "warning {warning:g}%, failure {failure:g}%": "varování {warning:g} %, selhání {failure:g} %",
    "warning {warning:g} s, failure {failure:g} s": "varování {warning:g} s, selhání {failure:g} s",
    "warning {warning:g}, failure {failure:g}": "varování {warning:g}, selhání {failure:g}",
    "warning {warning:g} days, failure {failure:g} days": "varování dnů: {warning:g}, selhání dnů: {failure:g}",
    "expected synchronised": "má být synchronizován",
    "expected active": "očekáváno active",
    "expected at least {minimum}": "očekáváno nejméně {minimum}",
    "expected {minimum} to {maximum}": "očekáváno {minimum} až {maximum}",
    # What can be wrong or missing
    "this file system does not count inodes": "tento souborový systém i-uzly nepočítá",
    "no swap space": "žádný odkládací prostor",
    "cannot be read: {reason}": "nelze přečíst: {reason}",
    "not available: {reason}": "není k dispozici: {reason}",
    "unknown: systemd does not run here": "neznámo: systemd zde neběží",
    "unknown: systemctl does not answer in time": "neznámo: systemctl neodpovídá včas",
    "unknown: systemctl: {reason}": "neznámo: systemctl: {reason}",
    "there is no such unit": "taková jednotka neexistuje",
    "{variable} names nothing": "{variable} nic nejmenuje",
    "no result within {seconds:g} s": "bez výsledku do {seconds:g} s",
    "could not be checked: {reason}": "nebylo možné zkontrolovat: {reason}",
    "host name not found ({reason})": "jméno hostitele nenalezeno ({reason})",
    "unreachable: no answer in time": "nedostupné: žádná odpověď včas",
    "unreachable: connection refused": "nedostupné: spojení odmítnuto",
    "unreachable: {reason}": "nedostupné: {reason}",
    "answers with something that is not time (mode {mode})": "odpovídá něčím, co není čas (režim {mode})",
    "the server refuses to answer (code {code})": "server odmítá odpovědět (kód {code})",
    "the server itself is not synchronised": "server sám není synchronizován",
    "connected, but no TLS handshake in time": "spojeno, ale TLS se včas nenavázalo",
    "closed the connection during the TLS handshake": "spojení ukončeno během navazování TLS",
    "no TLS handshake: {reason}": "TLS se nenavázalo: {reason}",
    "showed no certificate": "neukázal žádný certifikát",
    "unreadable certificate: {reason}": "nečitelný certifikát: {reason}",
    "does not offer STARTTLS: {answer}": "nenabízí STARTTLS: {answer}",
    "{problems} (valid until {until})": "{problems} (platnost do {until})",
    "expired": "platnost vypršela",
    "not valid yet": "ještě neplatí",
    "is for another host than {label}": "patří jinému hostiteli než {label}",
    "self-signed": "podepsán sám sebou",
    "not trusted: {reason}": "není důvěryhodný: {reason}",
    # The run as a whole
    "{name} {version} on {host}, {moment}": "{name} {version} na {host}, {moment}",
    "{outcome}: checks {count}, OK {ok}, warning {warnings}, failure {failures}, skipped {skipped}; {seconds:.1f} s": (
        "{outcome}: kontrol {count}, v pořádku {ok}, varování {warnings}, selhání {failures}, vynecháno {skipped}; "
        "{seconds:.1f} s"
    ),
    "{problems}": "{problems}",
    "{state}: {check} {subject}: {value}": "{state}: {check} {subject}: {value}",
    "{state}: {check}: {value}": "{state}: {check}: {value}",
    "all well (checks: {count})": "vše v pořádku (kontrol: {count})",
    "nothing could be checked": "nic nebylo možné zkontrolovat",
    "waiting {seconds:g} s (PROBE_SLEEP)": "čekání {seconds:g} s (PROBE_SLEEP)",
    "exit code {code} is forced (FORCE_EXITCODE)": "vynucen návratový kód {code} (FORCE_EXITCODE)",
    "interrupted": "přerušeno",
    "standard output cannot be written": "na standardní výstup nelze zapisovat",
    # Wrong settings
    "{name}='{value}': expected {expected}": "{name}='{value}': očekává se {expected}",
    "a number from {low:g} to {high:g}": "číslo od {low:g} do {high:g}",
    "a whole number from {low} to {high}": "celé číslo od {low} do {high}",
    "true or false": "true nebo false",
    "one of: {options}": "jedno z: {options}",
    "one server": "jeden server",
    "{form}, protocols: {options}": "{form}, protokoly: {options}",
    "name, name:minimum or name:minimum-maximum": "jméno, jméno:nejméně nebo jméno:nejméně-nejvíce",
    "a maximum that is not below the minimum": "nejvíce ne menší než nejméně",
    "names of systemd units": "jména jednotek systemd",
    "a PEM file of certificates ({reason})": "soubor PEM s certifikáty ({reason})",
    "{failure_name}={failure:g} is below {warning_name}={warning:g}: expected at least as much": (
        "{failure_name}={failure:g} je pod {warning_name}={warning:g}: očekává se nejméně tolik"
    ),
    "{failure_name}={failure:g} is above {warning_name}={warning:g}: expected at most as much": (
        "{failure_name}={failure:g} je nad {warning_name}={warning:g}: očekává se nejvýše tolik"
    ),
    "RESULT_FILE='{path}': cannot be written: {reason}": "RESULT_FILE='{path}': nelze zapsat: {reason}",
    "unknown argument {argument}: settings come from the environment": (
        "neznámý argument {argument}: nastavení je v proměnných prostředí"
    ),
    "Usage: {name} [--help | --version]\n\n"
    "Checks disk space, memory, load, time synchronisation, services, processes and certificates of this host.\n"
    "All settings come from the environment; the application definition describes them.\n"
    "Exit code: 0 all well, 1 warning, 255 failure.": (
        "Použití: {name} [--help | --version]\n\n"
        "Kontroluje místo na disku, paměť, zátěž, synchronizaci času, služby, procesy a certifikáty tohoto hostitele.\n"
        "Všechna nastavení jsou v proměnných prostředí; popisuje je definice aplikace.\n"
        "Návratový kód: 0 vše v pořádku, 1 varování, 255 selhání."
    ),
}
