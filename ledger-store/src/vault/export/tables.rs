//! The tables and columns of an export. A test compares them with the catalogue of the database.

/// A table of an export.
#[derive(Debug, Clone, Copy)]
pub struct ExportedTable {
    /// The name, with its schema.
    pub name: &'static str,
    /// Its exported columns.
    pub columns: &'static [&'static str],
    pub(super) import: ImportRule,
}

impl ExportedTable {
    /// The columns as a list for a statement, each after `prefix`.
    pub(super) fn list(&self, prefix: &str) -> String {
        let columns: Vec<String> =
            self.columns.iter().map(|column| format!("{prefix}{column}")).collect();
        columns.join(", ")
    }

    /// Name of the temporary table that holds the rows of an import.
    pub(super) fn staged(&self) -> String {
        format!("import_{}", self.name.split('.').next_back().unwrap_or_default())
    }
}

/// How the rows of a table are imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ImportRule {
    /// A destroyed epoch stays destroyed.
    Epochs,
    /// Fences of destroyed keys are added.
    Fences,
    /// A destroyed key stays destroyed, and the copy under the newer epoch is kept.
    Keys,
    /// A tenant with a newer epoch in the export has the rows of the export.
    Replaced,
    /// A tenant with a newer epoch in the export has these values in rows that exist. The first
    /// columns are the primary key.
    Sealed {
        /// Number of columns of the primary key.
        key: usize,
    },
}

/// Every table of an export. A table follows those that it has a foreign key to.
pub const EXPORTED: &[ExportedTable] = &[
    ExportedTable {
        name: "vault.epochs",
        columns: &[
            "tenant_id",
            "epoch",
            "check_value",
            "state",
            "created_at",
            "changed_at",
            "destroyed_at",
        ],
        import: ImportRule::Epochs,
    },
    ExportedTable {
        name: "vault.fences",
        columns: &[
            "tenant_id",
            "subject_id",
            "erasure_id",
            "generation",
            "placed_at",
            "destroyed_at",
        ],
        import: ImportRule::Fences,
    },
    ExportedTable {
        name: "vault.handles",
        columns: &["tenant_id", "handle_id", "kind", "blind_index", "epoch", "created_at"],
        import: ImportRule::Replaced,
    },
    ExportedTable {
        name: "vault.contacts",
        columns: &[
            "tenant_id",
            "contact_id",
            "name_index",
            "possible_duplicate_of",
            "created_at",
            "merged_into",
            "name_epoch",
        ],
        import: ImportRule::Replaced,
    },
    ExportedTable {
        name: "vault.contact_handles",
        columns: &[
            "tenant_id",
            "handle_id",
            "contact_id",
            "name_index",
            "since",
            "until",
            "name_epoch",
        ],
        import: ImportRule::Replaced,
    },
    ExportedTable {
        name: "vault.contact_names",
        columns: &["tenant_id", "token", "contact_id", "epoch"],
        import: ImportRule::Replaced,
    },
    ExportedTable {
        name: "vault.call_subjects",
        columns: &["tenant_id", "blind_index", "subject_id", "epoch", "created_at"],
        import: ImportRule::Replaced,
    },
    ExportedTable {
        name: "vault.links",
        columns: &["tenant_id", "subject_id", "linked_to", "created_at"],
        import: ImportRule::Replaced,
    },
    ExportedTable {
        name: "vault.subject_keys",
        columns: &[
            "tenant_id",
            "subject_id",
            "generation",
            "state",
            "epoch",
            "wrapped",
            "fingerprint",
            "created_at",
        ],
        import: ImportRule::Keys,
    },
    // What else is sealed under epoch keys, and would not open after a roll.
    ExportedTable {
        name: "ledger.sources",
        columns: &[
            "tenant_id",
            "source_id",
            "secret_sealed",
            "old_secret_sealed",
            "old_secret_until",
        ],
        import: ImportRule::Sealed { key: 2 },
    },
    ExportedTable {
        name: "ledger.quarantine",
        columns: &["tenant_id", "quarantine_id", "body_sealed", "content_sealed"],
        import: ImportRule::Sealed { key: 2 },
    },
    ExportedTable {
        name: "ledger.command_answers",
        columns: &["tenant_id", "key_digest", "seed_sealed", "answer_sealed"],
        import: ImportRule::Sealed { key: 2 },
    },
];

/// Tables of the vault that are not exported, each with the reason.
pub const LEFT_OUT: &[(&str, &str)] = &[("vault.processes", "processes that run now")];

/// The table of this name.
pub(super) fn table(name: &str) -> Option<&'static ExportedTable> {
    EXPORTED.iter().find(|table| table.name == name)
}
