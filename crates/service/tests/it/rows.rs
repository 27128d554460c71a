//! Rows as structs: what is read, and what is said where the answer is another one.

use tokio_postgres::{Client, Error};
use wattline_localstack::{ServerKind, Stack, StackOptions};
use wattline_service::postgres::{Class, FromRow, Trouble, describe, read_column, read_rows};
use wattline_service::{DatabaseSettings, row};

row! {
    /// One of each kind.
    #[derive(Debug, PartialEq)]
    struct Owned {
        key: i32,
        name: String,
        power_w: Option<f64>,
    }
}

row! {
    /// Borrows its text from the row.
    #[derive(Debug, PartialEq)]
    struct Borrowed<'row> {
        name: &'row str,
    }
}

async fn start() -> (Stack, Client) {
    let stack = Stack::start(StackOptions::new().servers(&[ServerKind::Timescale])).await.unwrap();
    let settings = DatabaseSettings { url: stack.database_url(), ..DatabaseSettings::default() };
    let client = settings.connect("test").await.unwrap();
    (stack, client)
}

async fn refused(client: &Client, sql: &str) -> Error {
    let row = client.query_one(sql, &[]).await.unwrap();
    Owned::from_row(&row).unwrap_err()
}

#[tokio::test]
async fn a_row_is_read_by_the_names_of_its_columns() {
    let (_stack, client) = start().await;
    let sql = "SELECT 'b' AS name, NULL::float8 AS power_w, 7 AS key, true AS more \
        UNION ALL SELECT 'c', 1.5, 8, false";
    let rows = client.query(sql, &[]).await.unwrap();
    let expected = [
        Owned { key: 7, name: "b".to_owned(), power_w: None },
        Owned { key: 8, name: "c".to_owned(), power_w: Some(1.5) },
    ];
    assert_eq!(read_rows::<Owned>(&rows).unwrap(), expected);
    assert_eq!(Borrowed::from_row(&rows[0]).unwrap(), Borrowed { name: "b" });
    assert!(read_column::<bool>(&rows[0], "more").unwrap());

    for (sql, words) in [
        ("SELECT 7 AS key, 1.5::float8 AS power_w", ["name", "invalid column"]),
        ("SELECT 7 AS key, 8 AS name, 1.5::float8 AS power_w", ["name", "int4"]),
        ("SELECT NULL::int AS key, 'b' AS name, 1.5::float8 AS power_w", ["key", "NULL"]),
    ] {
        let error = refused(&client, sql).await;
        let text = describe(&error);
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
        assert_eq!((Trouble::of(&error), Class::of(&error)), (Trouble::Driver, Class::Stop));
    }
}
