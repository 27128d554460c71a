//! Promise: meters are found by a part of their id and paged without holes; each has its newest reading.

use serde_json::{Value, json};

use crate::fixture::{minutes_ago, reading, run};

const PAGE: &str = "query($search: String!, $first: Int!, $after: String) {
    meters(search: $search, first: $first, after: $after) {
        nodes { id firstSeen lastSeen latest { powerW } }
        pageInfo { hasNextPage hasPreviousPage endCursor }
    }
}";

fn ids(page: &Value) -> Vec<&str> {
    page["meters"]["nodes"].as_array().unwrap().iter().map(|meter| meter["id"].as_str().unwrap()).collect()
}

#[test]
fn pages_meet_without_holes() {
    run(async |env| {
        let rows: Vec<_> = (0..7)
            .flat_map(|meter| {
                let name = format!("paged_{meter}");
                (0..2).map(move |minute| reading(&name, minutes_ago(5 - minute), f64::from(meter) * 10.0))
            })
            .collect();
        env.store(&rows, None).await;
        let mut after = Value::Null;
        let mut seen = Vec::new();
        loop {
            let variables = json!({"search": "PAGED_", "first": 3, "after": after});
            let page = env.api.data(PAGE, variables).await;
            assert_eq!(page["meters"]["pageInfo"]["hasPreviousPage"], !seen.is_empty());
            seen.extend(ids(&page).into_iter().map(str::to_owned));
            after = page["meters"]["pageInfo"]["endCursor"].clone();
            if page["meters"]["pageInfo"]["hasNextPage"] == false {
                assert_eq!(page["meters"]["nodes"][0]["latest"]["powerW"], 60.0);
                break;
            }
        }
        let expected: Vec<String> = (0..7).map(|meter| format!("paged_{meter}")).collect();
        assert_eq!(seen, expected);
    });
}

#[test]
fn a_search_is_literal() {
    run(async |env| {
        let rows = [reading("100%_sure", minutes_ago(1), 1.0), reading("100x sure", minutes_ago(1), 1.0)];
        env.store(&rows, None).await;
        let page = env.api.data(PAGE, json!({"search": "0%_S", "first": 10})).await;
        assert_eq!(ids(&page), ["100%_sure"]);
        let page = env.api.data(PAGE, json!({"search": "no such meter", "first": 10})).await;
        assert!(ids(&page).is_empty());
    });
}

#[test]
fn a_meter_is_found_in_any_spelling_of_its_id() {
    run(async |env| {
        env.store(&[reading("Küchenzähler", minutes_ago(1), 1.0)], None).await;
        let ask = "query($id: ID!) { meter(id: $id) { id } }";
        for id in ["Küchenzähler", "Ku\u{308}chenza\u{308}hler", " Küchenzähler "] {
            let data = env.api.data(ask, json!({ "id": id })).await;
            assert_eq!(data, json!({"meter": {"id": "Küchenzähler"}}), "{id:?}");
        }
        let page = env.api.data(PAGE, json!({"search": "za\u{308}hler", "first": 10})).await;
        assert_eq!(ids(&page), ["Küchenzähler"]);
    });
}

#[test]
fn a_meter_that_is_not_there_is_null() {
    run(async |env| {
        let data = env.api.data("{ meter(id: \"nobody\") { id } }", json!({})).await;
        assert_eq!(data, json!({"meter": null}));
    });
}

#[test]
fn a_meter_says_how_far_its_clock_is_off() {
    run(async |env| {
        let rows =
            [reading("clock_ahead", minutes_ago(1), 1.0), reading("clock_unknown", minutes_ago(1), 1.0)];
        env.store(&rows, None).await;
        // Ninety days are beyond what an Int can say.
        let offset_ms = -7_776_000_000_i64;
        let sql = "UPDATE meter SET clock_offset_ms = $1, clock_measured_at = '2026-11-20T10:00:00Z' \
            WHERE meter_id = 'clock_ahead'";
        env.database().await.execute(sql, &[&offset_ms]).await.unwrap();
        let query = "{ meters(search: \"clock_\") { nodes { id clockOffsetMs clockMeasuredAt } } }";
        let page = env.api.data(query, json!({})).await;
        let expected = json!([
            {"id": "clock_ahead", "clockOffsetMs": -7_776_000_000.0, "clockMeasuredAt": "2026-11-20T10:00:00+00:00"},
            {"id": "clock_unknown", "clockOffsetMs": null, "clockMeasuredAt": null},
        ]);
        assert_eq!(page["meters"]["nodes"], expected);
    });
}
