//! The allowed state of the database: every grant, and each exception to a rule with its reason.

/// A database object that is exempt from a rule.
pub(super) struct Exception {
    /// The table, index, constraint, function, trigger or role, with its schema.
    pub(super) name: &'static str,
    /// Why the exception is safe.
    #[expect(dead_code, reason = "for those who read the list")]
    pub(super) reason: &'static str,
}

const fn exception(name: &'static str, reason: &'static str) -> Exception {
    Exception { name, reason }
}

pub(super) const NONE: &[Exception] = &[];

/// Tables without tenant rows. The roles of this product have no right to them.
pub(super) const WITHOUT_TENANT: &[Exception] = &[
    exception(
        "public._sqlx_migrations",
        "which migrations the database has; the login's, not ours",
    ),
    exception("vault.processes", "which processes look for fences; no data of a tenant"),
];

/// Unique keys that do not begin with the tenant.
pub(super) const KEYS_ACROSS_TENANTS: &[Exception] = &[
    exception("ledger.tenants_slug", "operators name a tenant by it; only the owner reads it"),
    exception("public._sqlx_migrations_pkey", "a table of no tenant"),
    exception("vault.processes_pkey", "a table of no tenant"),
];

/// Non-unique indexes that do not begin with the tenant.
pub(super) const INDEXES_ACROSS_TENANTS: &[Exception] = &[
    exception("ledger.sources_by_id", "a webhook names its source before a tenant is known"),
    exception("ledger.source_routes_by_value", "a shared source asks whose an id is"),
    exception("vault.fences_by_time", "each server looks for the fences of all tenants"),
    exception("vault.epochs_by_change", "each server looks for changes of all tenants"),
    exception("projection.checkpoints_by_projection", "the engine asks who is behind"),
];

/// Functions with `security definer`, which run with the rights of their owner.
pub(super) const DEFINERS: &[Exception] = &[
    exception(
        "ledger.lock_tenant",
        "locks the order of a log, which needs a right to change the tenant; checks that it is the transaction's own",
    ),
    exception(
        "ledger.append",
        "the only way into the log; locks and numbers every tenant's events",
    ),
    exception("ledger.free_tenants", "a batch is of many tenants; answers whose lock is free"),
    exception("ledger.find_source", "asked before a tenant is known; answers for one id"),
    exception("ledger.find_routes", "as find_routes_at, for servers of the previous release"),
    exception("ledger.find_routes_at", "asked before a tenant is known; answers with tenants only"),
    exception("ledger.add_source_counts", "a batch is of many tenants; it can only add to counts"),
    exception("ledger.note_key_use", "keeps when a key was used; can change nothing else"),
    exception("vault.find_subjects", "a batch is of many tenants; answers for given blind indexes"),
    exception("vault.find_keys", "a batch is of many tenants; keys are wrapped"),
    exception("vault.add_subjects", "a batch is of many tenants; it can only add"),
    exception("vault.find_persons", "as find_subjects, with the survivors of merged contacts"),
    exception("vault.add_persons", "as add_subjects, with the words of names"),
    exception("vault.keep_fence", "reads the fences of the row's tenant for whoever writes a key"),
    exception("vault.place_fence", "the application may not change keys; one tenant, its own"),
    exception("vault.lift_fence", "as place_fence"),
    exception("vault.destroy_keys", "as place_fence"),
    exception("vault.recent_fences", "a server keeps keys of many tenants; answers with ids only"),
    exception("vault.look", "as recent_fences, with changes of epochs; registers the process"),
    exception("vault.processes_behind", "answers with a number of processes"),
    exception("vault.find_people", "as find_persons, with the indexes of two epochs"),
    exception("vault.forget_names", "whoever ends a key needs no right to delete names"),
];

/// The roles of this product. No other role may have a name with their prefix.
pub(super) const ROLES: &[Exception] = &[
    exception("ledger_owner", "owns everything, cannot log in"),
    exception("ledger_app", "serves tenants, one at a time"),
    exception("ledger_projector", "reads every log, writes read models"),
];

/// Triggers on tables of this product.
pub(super) const TRIGGERS: &[Exception] = &[
    exception("ledger.events.immutable", "refuses update, delete and truncate to everybody"),
    exception("ledger.tenants.changed", "notifies servers, which remember the state for seconds"),
    exception("ledger.sources.changed", "notifies servers, which remember sources for seconds"),
    exception("ledger.api_keys.changed", "notifies servers, which remember keys for seconds"),
    exception("vault.subject_keys.keep_fence", "no key of a fenced subject is made or returns"),
    exception("vault.subject_keys.forget_names", "the words of a name end with the key"),
];

/// Extensions that may be installed in the database.
pub(super) const EXTENSIONS: &[Exception] = &[exception("plpgsql", "comes with PostgreSQL")];

/// The policies of each table, by name. Every table with tenant rows has the first two.
pub(super) const POLICIES: &[(&str, &str, &str)] = &[
    // name, tables that have it, and its definition: command, role, using, with check
    ("owner_all", "*", "* ledger_owner true true"),
    ("app_tenant", "*", "* ledger_app tenant -"),
    ("projector_reads", "ledger.tenants ledger.events", "r ledger_projector true -"),
    (
        "projector_all",
        "projection.checkpoints projection.versions projection.parked projection.dropped projection.marks {model}.*",
        "* ledger_projector true true",
    ),
];

/// The only condition under which a row of a tenant is visible.
pub(super) const TENANT_CONDITION: &str =
    "(tenant_id = ( SELECT ledger.tenant_in_force() AS tenant_in_force))";

/// Every object with the rights of roles other than its owner. `public` means all roles.
pub(super) const GRANTS: &[(&str, &str)] = &[
    ("database", "ledger_owner: create; public: connect temporary"),
    ("schema public", "public: usage"),
    ("table public._sqlx_migrations", ""),
    //
    ("schema ledger", "ledger_app: usage; ledger_projector: usage"),
    ("table ledger.tenants", "ledger_app: select; ledger_projector: select"),
    ("table ledger.events", "ledger_app: select; ledger_projector: select"),
    ("table ledger.api_keys", "ledger_app: select"),
    ("table ledger.sources", "ledger_app: select"),
    ("table ledger.source_routes", "ledger_app: select"),
    ("table ledger.quarantine", "ledger_app: select insert"),
    ("table ledger.plan_limits", "ledger_app: select"),
    ("table ledger.command_answers", "ledger_app: select insert update delete"),
    ("table ledger.source_counts", "ledger_app: select"),
    ("table ledger.count_batches", "ledger_app: select"),
    ("table ledger.backups", "ledger_app: select"),
    ("function ledger.tenant_in_force", "public: execute"),
    ("function ledger.refuse_change", "public: execute"),
    ("function ledger.append", "ledger_app: execute"),
    ("function ledger.lock_tenant", "ledger_app: execute"),
    ("function ledger.free_tenants", "ledger_app: execute"),
    ("function ledger.find_source", "ledger_app: execute"),
    ("function ledger.find_routes", "ledger_app: execute"),
    ("function ledger.find_routes_at", "ledger_app: execute"),
    ("function ledger.add_source_counts", "ledger_app: execute"),
    ("function ledger.note_key_use", "ledger_app: execute"),
    ("function ledger.notify_change", "public: execute"),
    //
    ("schema vault", "ledger_app: usage"),
    ("table vault.epochs", "ledger_app: select insert"),
    ("table vault.subject_keys", "ledger_app: select insert"),
    ("table vault.handles", "ledger_app: select insert"),
    (
        "table vault.contacts",
        "ledger_app: select insert update(merged_into) update(name_epoch) update(name_index)",
    ),
    ("table vault.contact_handles", "ledger_app: select insert update(since) update(until)"),
    ("table vault.contact_names", "ledger_app: select insert delete"),
    ("table vault.call_subjects", "ledger_app: select insert"),
    ("table vault.links", "ledger_app: select insert"),
    ("function vault.find_subjects", "ledger_app: execute"),
    ("function vault.find_keys", "ledger_app: execute"),
    ("function vault.add_subjects", "ledger_app: execute"),
    ("function vault.find_persons", "ledger_app: execute"),
    ("function vault.add_persons", "ledger_app: execute"),
    ("function vault.forget_names", ""),
    ("table vault.fences", "ledger_app: select"),
    ("function vault.keep_fence", ""),
    ("function vault.place_fence", "ledger_app: execute"),
    ("function vault.lift_fence", "ledger_app: execute"),
    ("function vault.destroy_keys", "ledger_app: execute"),
    ("function vault.recent_fences", "ledger_app: execute"),
    ("table vault.processes", ""),
    ("function vault.look", "ledger_app: execute"),
    ("function vault.processes_behind", "ledger_app: execute"),
    ("function vault.find_people", "ledger_app: execute"),
    //
    ("schema projection", "ledger_app: usage; ledger_projector: usage"),
    (
        "table projection.checkpoints",
        "ledger_app: select; ledger_projector: select insert update delete",
    ),
    (
        "table projection.versions",
        "ledger_app: select; ledger_projector: select insert update delete",
    ),
    (
        "table projection.parked",
        "ledger_app: select; ledger_projector: select insert update delete",
    ),
    (
        "table projection.dropped",
        "ledger_app: select; ledger_projector: select insert update delete",
    ),
    ("table projection.marks", "ledger_app: select; ledger_projector: select insert update delete"),
    ("function projection.secure", ""),
    ("function projection.create_version", ""),
    ("function projection.finish_version", ""),
    ("function projection.show_version", ""),
    ("schema {model}", "ledger_app: usage; ledger_projector: usage"),
    ("table {model}.*", "ledger_app: select; ledger_projector: select insert update delete"),
    ("schema read", "ledger_app: usage; ledger_projector: usage"),
    ("view read.*", "ledger_app: select; ledger_projector: select"),
];
