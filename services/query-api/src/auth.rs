//! Who may ask: anybody on loopback, or whoever has the one token.

use std::path::Path;

use subtle::ConstantTimeEq as _;
use wattline_service::secret;

/// Decides for queries and live streams alike.
#[derive(Clone, Debug)]
pub struct Access {
    token: Option<String>,
}

// === impl Access ===

impl Access {
    /// Reads the token file; without one, anybody may ask.
    ///
    /// # Errors
    /// Where the file can't be read or is empty.
    pub fn load(token_file: Option<&Path>) -> anyhow::Result<Self> {
        let token = token_file.map(|file| secret::read(file, "http.token_file")).transpose()?;
        Ok(Self { token })
    }

    /// Whether a token is asked for.
    #[must_use]
    pub const fn needs_token(&self) -> bool {
        self.token.is_some()
    }

    /// Whether the value of an `Authorization` header opens the door.
    #[must_use]
    pub fn admits(&self, authorization: Option<&str>) -> bool {
        let Some(token) = &self.token else { return true };
        let given = authorization
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map_or("", |(_, given)| given.trim());
        // In a time that doesn't tell where the two differ.
        given.as_bytes().ct_eq(token.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_opens() {
        let access = Access { token: Some("secret".to_owned()) };
        for (value, admitted) in [
            (Some("Bearer secret"), true),
            (Some("bearer  secret"), true),
            (Some("Bearer secret2"), false),
            (Some("Bearer secre"), false),
            (Some("Bearer"), false),
            (Some("Basic secret"), false),
            (Some("secret"), false),
            (None, false),
        ] {
            assert_eq!(access.admits(value), admitted, "{value:?}");
        }
        assert!(Access { token: None }.admits(None));
    }

    #[test]
    fn the_token_is_that_of_the_file_or_none_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let error = format!("{:#}", Access::load(Some(&file)).unwrap_err());
        assert!(error.contains("http.token_file"), "{error}");
        std::fs::write(&file, "correct horse\n").unwrap();
        let access = Access::load(Some(&file)).unwrap();
        assert!(access.needs_token());
        assert!(access.admits(Some("Bearer correct horse")) && !access.admits(Some("Bearer correct")));
        let open = Access::load(None).unwrap();
        assert!(!open.needs_token() && open.admits(None));
    }
}
