//! Rows as structs, read by the names of their columns.

use tokio_postgres::types::FromSql;
use tokio_postgres::{Error, Row};

use super::describe;

/// What can be read from a row of an answer. [`row!`](crate::row) declares one.
pub trait FromRow<'row>: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// Where a column is missing, or holds what the field can't be; the text names the column.
    fn from_row(row: &'row Row) -> Result<Self, Error>;
}

/// Reads all rows of an answer.
///
/// # Errors
/// That of the first row that can't be read.
pub fn read_rows<'row, T: FromRow<'row>>(rows: &'row [Row]) -> Result<Vec<T>, Error> {
    rows.iter().map(T::from_row).collect()
}

/// The value of one column.
///
/// # Errors
/// Where it is missing, or holds what `T` can't be; the text names the column.
pub fn read_column<'row, T: FromSql<'row>>(row: &'row Row, name: &str) -> Result<T, Error> {
    row.try_get(name).map_err(|error| named(row, name, error))
}

/// The driver names a column only where there is none of that name; of any other error it tells the column's place. A
/// column that can't exist is the only way to an error of the driver's type with a text of ours.
fn named(row: &Row, name: &str, error: Error) -> Error {
    if !row.columns().iter().any(|column| column.name() == name) {
        return error;
    }
    let text = format!("{name}: {}", describe(&error));
    row.try_get::<_, Option<bool>>(&*text).err().unwrap_or(error)
}

/// Declares a row as a struct whose fields are the answer's columns, by name: the statement says `meter_key AS key` where
/// the field is `key`. A column that may be NULL is an `Option`. A struct with a lifetime borrows its texts and bytes from
/// the row. The struct is [`FromRow`].
///
/// ```
/// wattline_service::row! {
///     /// A meter of the registry.
///     #[derive(Clone, Debug)]
///     pub struct MeterRow {
///         /// Its number in the other tables.
///         pub key: i32,
///         /// The most that it can take or give, in W, where that is known.
///         pub max_power_w: Option<f64>,
///     }
/// }
/// ```
#[macro_export]
macro_rules! row {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident {
            $($(#[$field_meta:meta])* $field_visibility:vis $field:ident: $type:ty),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        $visibility struct $name { $($(#[$field_meta])* $field_visibility $field: $type),+ }

        impl<'row> $crate::postgres::FromRow<'row> for $name {
            fn from_row(row: &'row $crate::postgres::Row) -> ::core::result::Result<Self, $crate::postgres::Error> {
                ::core::result::Result::Ok(Self { $($field: $crate::postgres::read_column(row, stringify!($field))?),+ })
            }
        }
    };
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident<$life:lifetime> {
            $($(#[$field_meta:meta])* $field_visibility:vis $field:ident: $type:ty),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        $visibility struct $name<$life> { $($(#[$field_meta])* $field_visibility $field: $type),+ }

        impl<$life> $crate::postgres::FromRow<$life> for $name<$life> {
            fn from_row(row: &$life $crate::postgres::Row) -> ::core::result::Result<Self, $crate::postgres::Error> {
                ::core::result::Result::Ok(Self { $($field: $crate::postgres::read_column(row, stringify!($field))?),+ })
            }
        }
    };
}
