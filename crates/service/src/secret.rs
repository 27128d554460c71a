//! Secrets, which are in files of their own.

use std::path::Path;

use anyhow::{Context as _, bail};

/// The secret in a file, without the line's end; `key` names the setting in the error.
///
/// # Errors
/// Where the file can't be read or is empty.
pub fn read(file: &Path, key: &str) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the secret file {} ({key})", file.display()))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        bail!("the secret file {} ({key}) is empty", file.display());
    }
    Ok(secret.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret_of(content: &str) -> anyhow::Result<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        read(file.path(), "database.password_file")
    }

    #[test]
    fn a_secret_loses_only_its_line_end() {
        for (content, secret) in [
            ("s3cret", "s3cret"),
            ("s3cret\n", "s3cret"),
            ("s3cret\r\n", "s3cret"),
            (" s3cret \n", " s3cret "),
            ("two\nlines\n\n", "two\nlines"),
        ] {
            assert_eq!(secret_of(content).unwrap(), secret, "{content:?}");
        }
    }

    #[test]
    fn an_empty_secret_is_none() {
        for content in ["", "\n", "\r\n"] {
            let error = secret_of(content).unwrap_err().to_string();
            assert!(error.contains("is empty") && error.contains("database.password_file"), "{error}");
        }
    }

    #[test]
    fn a_missing_file_is_named_with_its_setting() {
        let file = tempfile::tempdir().unwrap();
        let error = format!("{:#}", read(&file.path().join("password"), "mqtt.password_file").unwrap_err());
        for part in ["password", "mqtt.password_file", "No such file"] {
            assert!(error.contains(part), "{error}");
        }
    }
}
