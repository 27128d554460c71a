//! `scripts/wattlinectl-job.sh` says nothing on standard error but what it did: not what kubectl says of a container that has
//! yet to start. The cluster is a script that answers as one whose pod waits for a while.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

const KUBECTL: &str = r#"#!/bin/bash
cd "$(dirname "$0")"
# Two may be asked at once: a byte for each call is never half there.
printf . >>calls
calls=$(($(wc -c <calls) - 1))
case "$*" in
  *"create job"*) echo '{}' ;;
  *patch*) cat ;;
  *"create --filename"*) cat >/dev/null ;;
  *"get pods"*) if [ "$calls" -lt 7 ]; then echo Pending; else echo Succeeded; fi ;;
  *"get job"*args*) echo '["count"]' ;;
  *"get job"*) if [ "$calls" -lt 9 ]; then echo ' '; else echo '1 '; fi ;;
  *logs*) if [ "$calls" -lt 7 ]; then echo 'container "operator" is waiting to start' >&2; else echo 'three letters'; fi ;;
esac
"#;

#[test]
fn a_container_that_has_yet_to_start_is_no_noise() {
    let folder = tempfile::tempdir().unwrap();
    let kubectl = folder.path().join("kubectl");
    fs::write(&kubectl, KUBECTL).unwrap();
    fs::set_permissions(&kubectl, Permissions::from_mode(0o755)).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/wattlinectl-job.sh");
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let output =
        Command::new(script).args(["prod", "dead-letters", "count"]).env("PATH", path).output().unwrap();
    let (out, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    assert_eq!(out, "three letters\n");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("created with"), "{said}");
}
