//! Stored sections that are altered or moved, as the vault reads them.

use ledger_core::ids::{EventId, TenantId};
use ledger_store::Store;
use ledger_store::seal::{self, Opened};
use ledger_store::vault::{OpenedSection, SectionColumn};
use ledger_tests::{TestLedger, TestTenant, cluster, messages, run};
use serde_json::json;
use uuid::Uuid;

/// The stored sections of one event.
#[derive(sqlx::FromRow)]
struct Row {
    event_id: Uuid,
    sections: Vec<u8>,
    bulk: Vec<u8>,
}

impl Row {
    fn small(&self) -> SectionColumn {
        SectionColumn::Sections(EventId(self.event_id))
    }

    fn large(&self) -> SectionColumn {
        SectionColumn::Bulk(EventId(self.event_id))
    }
}

/// Posts two reports with different customers.
async fn two_reports(tenant: &TestTenant) -> [Row; 2] {
    for (call, number) in [("one", "+15550100175"), ("two", "+15550100176")] {
        let who = json!({ "number": number, "name": call });
        tenant.post_ok(messages::from(messages::report(call), &who).to_string()).await;
    }
    let rows: Vec<Row> = sqlx::query_as(
        "select event_id, sections, bulk from ledger.events
          where tenant_id = $1 and event_type = 'call.ended' order by position",
    )
    .bind(tenant.tenant_id.0)
    .fetch_all(&mut cluster::superuser().await)
    .await
    .expect("the log answers");
    rows.try_into().unwrap_or_else(|_| panic!("two reports"))
}

async fn opened(
    store: &Store,
    tenant_id: TenantId,
    columns: &[(SectionColumn, &[u8])],
) -> Vec<Vec<OpenedSection>> {
    store.vault().open(tenant_id, columns).await.expect("the keys are there")
}

fn is_clear(section: &OpenedSection) -> bool {
    matches!(section.plain, Opened::Clear(_))
}

fn is_corrupt(section: &OpenedSection) -> bool {
    matches!(section.plain, Opened::Corrupt)
}

/// Returns whether the column is cut within a section.
fn is_torn(column: &&[u8]) -> bool {
    seal::unpack(column).is_err()
}

#[test]
fn a_stored_column_altered_in_any_byte_is_corrupt_and_no_erasure() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let [row, _] = two_reports(&tenant).await;
        for (section_column, column) in [(row.small(), &row.sections), (row.large(), &row.bulk)] {
            let whole = opened(&ledger.store, tenant.tenant_id, &[(section_column, column)]).await;
            assert!(!whole[0].is_empty() && whole[0].iter().all(is_clear));
            let altered: Vec<Vec<u8>> = (0..column.len())
                .flat_map(|nth| {
                    [0x01, 0x80, 0xff].map(|mask| {
                        let mut column = column.clone();
                        column[nth] ^= mask;
                        column
                    })
                })
                // A completely removed section is not detected here; the leaf hash detects it.
                .chain((1..column.len()).map(|len| &column[..len]).filter(is_torn).map(Vec::from))
                .collect();
            let columns: Vec<_> =
                altered.iter().map(|column| (section_column, column.as_slice())).collect();
            let found = opened(&ledger.store, tenant.tenant_id, &columns).await;
            for (nth, sections) in found.iter().enumerate() {
                assert!(sections.iter().any(is_corrupt), "{section_column:?}, alteration {nth}");
                assert!(sections.iter().all(|one| is_corrupt(one) || is_clear(one)));
                // One altered section does not affect the others, and adds none.
                let clear = sections.iter().filter(|one| is_clear(one)).count();
                assert!(clear < whole[0].len(), "{section_column:?}, alteration {nth}");
            }
        }
    });
}

#[test]
fn a_stored_column_opens_in_its_own_context_only() {
    run(async {
        let ledger = TestLedger::shared().await;
        let (tenant, other) = (ledger.tenant().await, ledger.tenant().await);
        let [one, two] = two_reports(&tenant).await;
        let [foreign, _] = two_reports(&other).await;
        let party = SectionColumn::Parties;
        let at_home = [
            (one.small(), one.sections.as_slice()),
            (one.large(), &one.bulk),
            (two.small(), &two.sections),
            (party, &one.sections),
        ];
        for sections in opened(&ledger.store, tenant.tenant_id, &at_home).await {
            assert!(!sections.is_empty() && sections.iter().all(is_clear));
        }
        let moved = [
            ("another event", one.small(), two.sections.as_slice()),
            ("another event", one.large(), &two.bulk),
            ("another column", one.small(), &one.bulk),
            ("another column", one.large(), &one.sections),
            ("another column", party, &one.bulk),
            ("another tenant", foreign.small(), &foreign.sections),
            ("another tenant", foreign.large(), &foreign.bulk),
            ("another tenant", party, &foreign.sections),
        ];
        let columns: Vec<_> =
            moved.iter().map(|(_, section_column, column)| (*section_column, *column)).collect();
        let found = opened(&ledger.store, tenant.tenant_id, &columns).await;
        for ((what, section_column, _), sections) in moved.iter().zip(found) {
            assert!(!sections.is_empty(), "{what}");
            assert!(sections.iter().all(is_corrupt), "from {what} to {section_column:?}");
        }
    });
}

#[test]
fn a_section_that_names_another_subject_or_generation_is_corrupt() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let [one, two] = two_reports(&tenant).await;
        let theirs = seal::unpack(&one.sections).expect("a column")[0].to_vec();
        let others = seal::unpack(&two.sections).expect("a column")[0].to_vec();
        // The header begins with two bytes of format, the subject and its generation.
        let mut renamed = theirs.clone();
        renamed[2..18].copy_from_slice(&others[2..18]);
        let mut later = theirs.clone();
        later[21] = 2;
        let mut nobodys = theirs;
        nobodys[2..18].copy_from_slice(Uuid::nil().as_bytes());
        for (what, section) in [("subject", renamed), ("generation", later), ("nobody", nobodys)] {
            let column = seal::pack(&[section]).expect("one section");
            let found = opened(&ledger.store, tenant.tenant_id, &[(one.small(), &column)]).await;
            assert!(found[0].iter().all(is_corrupt) && found[0].len() == 1, "{what}");
        }
    });
}
