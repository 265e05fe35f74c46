"""The commands there are, by name: where each is and what it does, so that only the one that is called is imported.

To add a command, write it in its entity's module under ``cli/commands`` and name it here.
"""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """A command: ``module.function`` under ``cli.commands``, and the first line of its help."""

    place: str
    summary: str


COMMANDS = {
    "access-request:approve": Entry("access_request.approve_request", "Grant what was asked for, from this moment on."),
    "access-request:create": Entry("access_request.create_request", "Ask for access to a company."),
    "access-request:get": Entry("access_request.get_request", "Show a request for access."),
    "access-request:list": Entry(
        "access_request.list_requests",
        "List requests for access: one's own, and those that one can answer; newest first.",
    ),
    "access-request:refuse": Entry("access_request.refuse_request", "Refuse what was asked for."),
    "access-request:withdraw": Entry(
        "access_request.withdraw_request", "Take back a request that nobody has answered."
    ),
    "application:create": Entry(
        "application_documents.create_application", "Create an application that takes no settings."
    ),
    "application:delete": Entry("application_changes.delete_application", "Take an application out of the catalogue."),
    "application:diff": Entry(
        "application_documents.show_difference",
        "Show what one definition of an application changes in comparison with another.",
    ),
    "application:export-json": Entry(
        "application_documents.export_json", "Write the definition of an application to a file, as it was imported."
    ),
    "application:get": Entry("application.get_application", "Show an application."),
    "application:import-json": Entry("application_import.import_json", "Import an application definition."),
    "application:list": Entry("application.list_applications", "List the applications."),
    "application:pause": Entry("pauses.pause_application", "Let no job of an application start any more."),
    "application:remove-json": Entry(
        "application_changes.remove_json", "Take the application of a definition out of the catalogue."
    ),
    "application:resume": Entry("pauses.resume_application", "Let jobs of an application start again."),
    "application:show-config": Entry("application.show_config", "List the settings of an application."),
    "application:sync": Entry(
        "application_import.sync_applications", "Import the built-in applications and those of packages."
    ),
    "application:update": Entry(
        "application_documents.update_application", "Change what an application is called and what it starts."
    ),
    "application:validate-json": Entry("application_changes.validate_json", "Check an application definition."),
    "application:versions": Entry(
        "application_documents.list_versions", "List the definitions that an application has had."
    ),
    "archive:attach": Entry("archive.attach_archive", "Attach an archived month to the log again."),
    "archive:create": Entry("archive.create_archive", "Write a sealed month to a file and detach it from the log."),
    "archive:list": Entry("archive.list_archives", "List the months that were archived, and those that can be."),
    "archive:verify": Entry("archive.check_archive", "Check the file of an archived month, without a database."),
    "artifact:get": Entry("artifact.get_artifact", "Show a file that a job left."),
    "artifact:list": Entry("artifact.list_artifacts", "List the files that jobs left."),
    "artifact:save": Entry("artifact.save_artifact", "Write the content of a file that a job left to a file."),
    "audit:check": Entry("proof.check_proof", "Check a proof, without a database."),
    "audit:growth": Entry("proof.prove_growth", "Prove that the log only grew since a head that was kept elsewhere."),
    "audit:head": Entry("audit.show_head", "Show a signed tree head, to be kept elsewhere."),
    "audit:list": Entry("audit_trail.list_trail", "List who changed what and when, newest first."),
    "audit:proof": Entry("proof.prove_event", "Prove that an event is in the log under a signed tree head."),
    "audit:verify": Entry("audit.verify_log", "Recompute all hashes, trees and signatures of the log."),
    "company-app:assign": Entry("company_app.assign_application", "Give a company an application."),
    "company-app:list": Entry("company_app.list_assignments", "List the applications of companies."),
    "company-app:unassign": Entry("company_app.unassign_application", "Take an application from a company."),
    "company:archive": Entry(
        "company_states.archive_company", "Suspend a company and take it out of the lists; nothing is lost."
    ),
    "company:clone": Entry(
        "company_clone.clone_company",
        "Set up a company like another one: applications, credential types, credentials and run templates.",
    ),
    "company:create": Entry("company_changes.create_company", "Create a company."),
    "company:get": Entry("company.get_company", "Show a company."),
    "company:import": Entry(
        "company_import.import_companies",
        "Set up many companies from a CSV file: application, credential, run template and schedule of each.",
    ),
    "company:list": Entry("company.list_companies", "List the companies."),
    "company:pause": Entry("pauses.pause_company", "Let no job of a company start any more."),
    "company:remove": Entry("company_changes.remove_company", "Remove a company."),
    "company:restore": Entry(
        "company_states.restore_company", "End the suspension of a company and bring it back from the archive."
    ),
    "company:resume": Entry("pauses.resume_company", "Let jobs of a company start again."),
    "company:suspend": Entry("company_states.suspend_company", "Let nothing of a company be due until it is restored."),
    "company:update": Entry("company_changes.update_company", "Change a company."),
    "credential-prototype:create": Entry(
        "credential_prototype_changes.create_prototype", "Create a credential prototype without fields."
    ),
    "credential-prototype:delete": Entry(
        "credential_prototype_changes.delete_prototype", "Remove a credential prototype."
    ),
    "credential-prototype:export-json": Entry(
        "credential_prototype.export_json", "Write a credential prototype to a file, as it was imported."
    ),
    "credential-prototype:get": Entry(
        "credential_prototype.get_prototype", "Show a credential prototype with its fields and versions."
    ),
    "credential-prototype:import-json": Entry(
        "credential_prototype_changes.import_json", "Import a credential prototype."
    ),
    "credential-prototype:list": Entry("credential_prototype.list_prototypes", "List the credential prototypes."),
    "credential-prototype:sync": Entry(
        "credential_prototype_changes.sync_prototypes",
        "Import the built-in prototypes and those of packages.",
    ),
    "credential-prototype:update": Entry(
        "credential_prototype_changes.update_prototype", "Change what a credential prototype is called."
    ),
    "credential-prototype:validate-json": Entry(
        "credential_prototype_changes.validate_json", "Check a credential prototype."
    ),
    "credential-type:create": Entry("credential_type.create_type", "Let a company use a credential prototype."),
    "credential-type:delete": Entry("credential_type.delete_type", "Remove a credential type."),
    "credential-type:get": Entry("credential_type.get_type", "Show a credential type."),
    "credential-type:import-json": Entry("credential_type.import_json", "Import the definition of a credential type."),
    "credential-type:list": Entry("credential_type.list_types", "List the credential types."),
    "credential-type:update": Entry("credential_type.update_type", "Change a credential type."),
    "credential-type:validate-json": Entry(
        "credential_prototype_changes.validate_type", "Check the definition of a credential type."
    ),
    "credential:create": Entry("credential_changes.create_credential", "Create a credential of a company's type."),
    "credential:encrypt-existing": Entry(
        "encryption.encrypt_existing", "Encrypt anew what is still under keys that were replaced."
    ),
    "credential:get": Entry("credential.get_credential", "Show a credential with where it is used."),
    "credential:list": Entry("credential.list_credentials", "List the credentials, and what is to be done about them."),
    "credential:remove": Entry("credential_changes.remove_credential", "Remove a credential."),
    "credential:test": Entry("credential_test.try_it", "Try whether a credential works."),
    "credential:update": Entry("credential_changes.update_credential", "Change a credential."),
    "customer:create": Entry("customer.create_customer", "Take a customer in."),
    "customer:get": Entry("customer.get_customer", "Show a customer with their companies."),
    "customer:list": Entry("customer.list_customers", "List the customers. Who they are is stored encrypted."),
    "customer:remove": Entry("customer.remove_customer", "Let a customer go."),
    "customer:update": Entry("customer.update_customer", "Change a customer."),
    "server:create": Entry("server.create_server", "Put a server down."),
    "server:get": Entry("server.get_server", "Show a server with the companies that use it."),
    "server:list": Entry("server.list_servers", "List the servers."),
    "server:remove": Entry("server.remove_server", "Forget a server."),
    "server:update": Entry("server.update_server", "Change a server."),
    "database:adopt": Entry("database.adopt_database", "Adopt a log that was restored into another cluster."),
    "database:migrate": Entry("database.migrate_database", "Bring the database up to date."),
    "demo:create": Entry("demo.create_demo", "Set up a demo company that probes this host, and run it once."),
    "demo:servers": Entry("demo_servers.simulate_servers", "Simulate a day of servers that are probed every hour."),
    "describe": Entry("describe.describe_commands", "Describe all commands and their options in JSON."),
    "encryption:init": Entry("encryption.init_keys", "Make the keys of credentials, or replace them by newer ones."),
    "encryption:rewrap": Entry("encryption.rewrap_keys", "Wrap all stored keys by a new master key."),
    "encryption:status": Entry("encryption.show_status", "Show the keys there are."),
    "job:cancel": Entry("job_changes.cancel_job", "Take a job out of the queue, or end it if it runs."),
    "job:cleanup": Entry("prune.clean_up_jobs", "Remove what jobs of long ago left."),
    "job:create": Entry("job_changes.create_job", "Put a job of a run template into the queue."),
    "job:delete": Entry("job_changes.delete_job", "Take a job out of the queue; one that has started stays."),
    "job:get": Entry("job.get_job", "Show a job."),
    "job:list": Entry("job.list_jobs", "List jobs."),
    "job:retry": Entry("job_changes.retry_job", "Run a job again that has ended."),
    "job:status": Entry("job.count_jobs", "Count the jobs by how they stand."),
    "job:update": Entry("job_changes.update_job", "Change a job that waits."),
    "job:watch": Entry("job_watch.watch_job", "Follow a job until it ends; exits with its exit code."),
    "projection:list": Entry("projection.list_projections", "List the read models and how far each has come."),
    "projection:rebuild": Entry("rebuild.rebuild_projections", "Build read models anew while the old ones serve."),
    "prune": Entry("prune.prune", "Remove what companies keep no longer."),
    "queue:fix": Entry("queue_changes.fix_queue", "Find and mend what keeps jobs from running."),
    "queue:list": Entry("queue.list_queue", "List the jobs that wait."),
    "queue:overview": Entry("queue.show_overview", "Show figures of the queue."),
    "queue:truncate": Entry("queue_changes.truncate_queue", "Cancel all jobs that wait."),
    "replay": Entry("replay.replay_log", "Build read models as they stood at a moment."),
    "token:create": Entry("token.create_token", "Make an API token."),
    "token:delete": Entry("token.delete_token", "Revoke an API token; it is of no use from this moment on."),
    "token:generate": Entry("token.generate_token", "Make an API token and show it, once."),
    "token:get": Entry("token.get_token", "Show an API token, but what it is."),
    "token:list": Entry("token.list_tokens", "List the API tokens. What they are is shown once, when they are made."),
    "token:update": Entry("token.update_token", "Change an API token."),
    "user-company:assign": Entry("user_changes.assign_user", "Give a user, or a group of users, access to a company."),
    "user-company:list": Entry("user.list_members", "List who has access to which company."),
    "user-company:unassign": Entry(
        "user_changes.unassign_user", "Take a user's or a group's access to a company away."
    ),
    "user-group:add": Entry("user_group.add_member", "Put a user into a group."),
    "user-group:create": Entry("user_group.create_group", "Make a group of users."),
    "user-group:delete": Entry("user_group.delete_group", "Remove a group, and what its members can do by it."),
    "user-group:get": Entry("user_group.get_group", "Show a group with who is in it and what they may do by it."),
    "user-group:list": Entry("user_group.list_groups", "List the groups of users."),
    "user-group:remove": Entry("user_group.remove_member", "Take a user out of a group."),
    "user-group:update": Entry("user_group.update_group", "Change a group of users."),
    "user-role:list": Entry("user.list_roles", "List the system roles of a user."),
    "user-role:set": Entry("user_changes.set_roles", "Set the system roles of a user, all of them or none."),
    "user:create": Entry("user_changes.create_user", "Create a user."),
    "user:delete": Entry("user_changes.delete_user", "Remove a user."),
    "user-erasure:approve": Entry(
        "erasure.approve_erasure",
        "Find that a user is to be erased; somebody other than who asked, and than the user.",
    ),
    "user-erasure:audit": Entry(
        "erasure.audit_erasure", "Show what happened to a request, from the log; or write it to a file."
    ),
    "user-erasure:cleanup": Entry(
        "erasure.cleanup_erasures", "Make reasons and notes of requests unreadable that were closed seven years ago."
    ),
    "user-erasure:create": Entry("erasure.create_erasure", "Ask that a user be erased."),
    "user-erasure:list": Entry(
        "erasure.list_erasures",
        "List requests for erasure: one's own, or all of them who manages users; newest first.",
    ),
    "user-erasure:process": Entry(
        "erasure.process_erasure", "Do an erasure that was approved, or go on with one that was interrupted."
    ),
    "user-erasure:reject": Entry("erasure.reject_erasure", "Find that a user is not to be erased."),
    "user-erasure:withdraw": Entry("erasure.withdraw_erasure", "Take back a request that is not being done yet."),
    "user:data-erasure": Entry("erasure.data_erasure", "Do what `user-erasure:ACTION` does."),
    "user:first": Entry(
        "user_changes.first_user", "Make an administrator with a generated password, if there never was any user."
    ),
    "user:get": Entry("user.get_user", "Show a user."),
    "user:list": Entry("user.list_users", "List the users."),
    "user:update": Entry("user_changes.update_user", "Change a user."),
    "retention:list": Entry("prune.list_removals", "List what was removed, when and by which rule."),
    "run-template:activate": Entry(
        "run_template_changes.activate_run_template", "Let a run template be due again, from now on."
    ),
    "run-template:assign-credential": Entry(
        "run_template_credentials.assign_credential", "Let jobs of a run template get the values of a credential."
    ),
    "run-template:clone": Entry(
        "run_template_copies.clone_run_template", "Copy a run template with its values and credentials."
    ),
    "run-template:create": Entry("run_template_changes.create_run_template", "Configure an application for a company."),
    "run-template:deactivate": Entry(
        "run_template_changes.deactivate_run_template",
        "Keep a run template from being due; it can still be run by hand.",
    ),
    "run-template:delete": Entry("run_template_changes.delete_run_template", "Remove a run template."),
    "run-template:dry-run": Entry(
        "run_template_trial.try_run_template", "Show what a job of a run template would be started with."
    ),
    "run-template:get": Entry("run_template.get_run_template", "Show a run template."),
    "run-template:list": Entry("run_template.list_run_templates", "List the run templates."),
    "run-template:list-credentials": Entry(
        "run_template_credentials.list_credentials", "List the credentials of a run template."
    ),
    "run-template:populate": Entry(
        "run_template_copies.populate_company",
        "Make a run template of each application of a company that has none yet.",
    ),
    "run-template:preview": Entry(
        "preview.preview_run_template", "Show the next runs of a run template, or of a schedule."
    ),
    "run-template:reconfigure": Entry(
        "run_template_copies.reconfigure_run_templates", "Change many run templates at once, all or none of them."
    ),
    "run-template:schedule": Entry("run_template_changes.schedule_run_template", "Run a template once."),
    "run-template:stale": Entry("run_template.list_stale", "List the run templates that should have run and did not."),
    "run-template:unassign-credential": Entry(
        "run_template_credentials.unassign_credential",
        "Let jobs of a run template no longer get the values of a credential.",
    ),
    "run-template:update": Entry("run_template_changes.update_run_template", "Change a run template."),
    "status": Entry("status.show_status", "Show how the installation stands."),
    "system:pause": Entry("pauses.pause_system", "Let no job of the installation start any more."),
    "system:resume": Entry("pauses.resume_system", "Let jobs of the installation start again."),
    "task:get": Entry("task.get_task", "Show a task."),
    "task:list": Entry("task.list_tasks", "List tasks."),
    "task:status": Entry("task.count_tasks", "Tell how many tasks were fulfilled on time."),
}

ENTITIES = {
    "app": "application",
    "apps": "application",
    "companyapp": "company-app",
    "credtype": "credential-type",
    "crprototype": "credential-prototype",
    "eventrule": "event-rule",
    "eventsource": "event-source",
    "runtemplate": "run-template",
    "run_template": "run-template",
}
"""Other names of entities."""

ACTIONS = {"show": "get"}
"""Other names of actions."""


def canonical(name: str) -> str | None:
    """Return the name of a command by any of its names, or None if there is none.

    Examples
    --------
    >>> canonical("runtemplate:show"), canonical("company:list"), canonical("company:fly")
    ('run-template:get', 'company:list', None)
    """
    if name in COMMANDS:
        return name
    entity, colon, action = name.lower().partition(":")
    entity = ENTITIES.get(entity, entity)
    for wanted in (action, ACTIONS.get(action, action)):
        if (found := f"{entity}{colon}{wanted}") in COMMANDS:
            return found
    return None


def entities() -> set[str]:
    """Return the names of entities, other names included."""
    known = {name.partition(":")[0] for name in COMMANDS if ":" in name}
    return known | {other for other, entity in ENTITIES.items() if entity in known}
