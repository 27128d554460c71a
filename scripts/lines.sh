#!/usr/bin/env bash
# Lines of code and of tests, and their ratio, for each library and service: `scripts/lines.sh`.
# Tests are `tests` folders, files and folders named `tests` or `*_tests`, and modules under `#[cfg(test)]`; all else is code.
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files 'crates/*.rs' 'services/*.rs' | while read -r file; do
    crate=$(cut -d/ -f1-2 <<<"$file")
    case "$file" in
    */tests/* | */tests.rs | *_tests.rs | *_tests/*) tests=all ;;
    *) tests=modules ;;
    esac
    # Formatted code closes a module with a brace at its own indent; a module in a file of its own has one line here.
    awk -v crate="$crate" -v tests="$tests" '
        tests == "all" { test++; next }
        /^ *#\[cfg\(test\)\]$/ { inside = 1; indent = match($0, /#/) - 1; test++; next }
        inside == 1 { test++; inside = /\{$/ ? 2 : 0; next }
        inside == 2 { test++; if ($0 ~ "^ {" indent "}}$") inside = 0; next }
        { code++ }
        END { print crate, code + 0, test + 0 }' "$file"
done | awk '
    { code[$1] += $2; test[$1] += $3; code["together"] += $2; test["together"] += $3 }
    END {
        printf "%-26s %7s %7s %6s\n", "", "code", "tests", "ratio"
        for (crate in code) if (crate != "together") names[++n] = crate
        for (i = 2; i <= n; i++) for (j = i; j > 1 && names[j] < names[j - 1]; j--) { t = names[j]; names[j] = names[j - 1]; names[j - 1] = t }
        names[++n] = "together"
        for (i = 1; i <= n; i++) printf "%-26s %7d %7d %6.2f\n", names[i], code[names[i]], test[names[i]], test[names[i]] / code[names[i]]
    }'
