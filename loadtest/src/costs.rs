//! What each process used, as a table for people.

use std::fmt::Write as _;

use crate::processes::{ProcessUse, Usage, number};

/// Appends the table, dearest first. CPU time is also given for one of `count` of what `per` names, where there is such a
/// thing.
///
/// # Errors
/// Never, for a `String`.
pub fn write(out: &mut String, usage: &Usage, per: Option<(&str, u64)>) -> std::fmt::Result {
    let each = per.map(|(what, count)| (what, 1e6 / number(count.max(1))));
    let (head, line) = match each {
        Some((what, _)) => (format!("CPU per {what} | "), " ---: |"),
        None => (String::new(), ""),
    };
    writeln!(out, "| process | {head}of one core | woken | memory at most |")?;
    writeln!(out, "| --- |{line} ---: | ---: | ---: |")?;
    let mut processes: Vec<&ProcessUse> = usage.processes.iter().collect();
    processes.sort_by(|a, b| b.cpu_s.total_cmp(&a.cpu_s));
    let elapsed_s = usage.elapsed_s.max(0.001);
    let row = |cpu_s: f64| {
        let each = each.map_or_else(String::new, |(_, factor)| format!("{:.2} µs | ", cpu_s * factor));
        format!("{each}{}", percent(100.0 * cpu_s / elapsed_s))
    };
    for process in &processes {
        writeln!(
            out,
            "| {} | {} | {:.0}/s | {:.0} MiB |",
            process.name,
            row(process.cpu_s),
            process.wakes / elapsed_s,
            process.memory_max_mib
        )?;
    }
    let all_s: f64 = processes.iter().map(|process| process.cpu_s).sum();
    writeln!(out, "| all | {} | | |\n", row(all_s))
}

/// What kept it from going faster.
#[must_use]
pub fn limit(usage: &Usage) -> String {
    let busy = usage.machine_busy_percent;
    let elapsed_s = usage.elapsed_s.max(0.001);
    let full_core = usage.processes.iter().find(|process| process.cpu_s / elapsed_s > 0.9);
    match (busy > 85.0, full_core) {
        (true, _) => format!("The machine was {busy:.0} % busy: its cores are the limit."),
        (false, Some(process)) => format!(
            "The machine was {busy:.0} % busy; {} used a whole core, which is the limit where it has one thread for this.",
            process.name
        ),
        (false, None) => {
            format!("The machine was {busy:.0} % busy: neither the cores nor one process are the limit.")
        }
    }
}

/// Idle processes use hundredths of a percent.
fn percent(percent: f64) -> String {
    if percent < 10.0 { format!("{percent:.2} %") } else { format!("{percent:.0} %") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(cpu_s: [f64; 2], machine_busy_percent: f64) -> Usage {
        let process = |name: &str, cpu_s| ProcessUse {
            name: name.to_owned(),
            cpu_s,
            wakes: 50.0,
            memory_max_mib: 10.4,
        };
        Usage {
            processes: vec![process("first", cpu_s[0]), process("second", cpu_s[1])],
            elapsed_s: 2.0,
            machine_busy_percent,
        }
    }

    #[test]
    fn cpu_time_is_divided_among_the_messages() {
        let mut out = String::new();
        write(&mut out, &usage([0.01, 0.5], 20.0), Some(("message", 100_000))).unwrap();
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines[0], "| process | CPU per message | of one core | woken | memory at most |");
        assert_eq!(lines[1], "| --- | ---: | ---: | ---: | ---: |");
        assert_eq!(lines[2], "| second | 5.00 µs | 25 % | 25/s | 10 MiB |");
        assert_eq!(lines[3], "| first | 0.10 µs | 0.50 % | 25/s | 10 MiB |");
        assert_eq!(lines[4], "| all | 5.10 µs | 26 % | | |");
    }

    #[test]
    fn without_messages_there_is_only_the_share_of_a_core() {
        let mut out = String::new();
        write(&mut out, &usage([0.001, 0.0], 1.0), None).unwrap();
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines[0], "| process | of one core | woken | memory at most |");
        assert_eq!(lines[1], "| --- | ---: | ---: | ---: |");
        assert_eq!(lines[2], "| first | 0.05 % | 25/s | 10 MiB |");
    }

    #[test]
    fn the_limit_is_named() {
        assert!(limit(&usage([0.1, 0.1], 99.0)).contains("its cores are the limit"));
        assert!(limit(&usage([0.1, 1.9], 60.0)).contains("second used a whole core"));
        assert!(limit(&usage([0.1, 0.1], 30.0)).contains("neither"));
    }
}
