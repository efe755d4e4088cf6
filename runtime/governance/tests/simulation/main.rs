//! Weeks of a gateway's governance in seconds: the real code under a virtual clock, through midnights, daylight saving,
//! changes of zone, month ends, clocks set back, restarts and everything that operators do, with its invariants asserted
//! throughout. The same seed gives the same weeks.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

mod audit;
mod clock;
mod manage;
mod restart;
mod traffic;
mod world;

use world::{Calendar, World};

fn run(seed: u64, start: &str, zones: &[&str], steps: u32, calendar: &Calendar) {
    println!("seed {seed}, from {start}");
    let mut world = World::new(seed, start, zones, 3_000);
    for step in 0..steps {
        world.tick();
        match world.rng.below(100) {
            0..58 => world.request(),
            58..91 => world.progress(),
            91..98 => world.manage(),
            _ => world.clean(),
        }
        if step % 1_500 == 1_499 {
            world.audit();
        }
        if step % 7_000 == 6_999 {
            world.set_clock_back();
        }
        if step % 13_000 == 12_999 {
            world.set_zone();
        }
        if step % 8_000 == 7_999 {
            world.restart();
        }
    }
    world.finish();
    world.audit();
    println!("seed {seed}: {}", world.summary());
    world.assert_was_worth_it(calendar);
}

#[test]
fn weeks_of_spring_with_every_change_keep_every_limit_and_every_micro_unit() {
    let zones = ["Asia/Beirut", "UTC", "Europe/Berlin", "Pacific/Auckland"];
    let calendar = Calendar {
        days: &[23, 24],
        months: &[28, 30, 31],
    };
    run(
        20_260_301,
        "2026-02-20T06:00:00Z",
        &zones,
        90_000,
        &calendar,
    );
}

#[test]
fn weeks_of_autumn_with_every_change_keep_every_limit_and_every_micro_unit() {
    let zones = ["America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"];
    let calendar = Calendar {
        days: &[24, 25],
        months: &[30, 31],
    };
    run(
        20_261_020,
        "2026-10-20T06:00:00Z",
        &zones,
        90_000,
        &calendar,
    );
}

#[test]
fn weeks_of_a_leap_year_with_every_change_keep_every_limit_and_every_micro_unit() {
    let zones = ["Asia/Kathmandu", "Pacific/Auckland", "Africa/Cairo"];
    let calendar = Calendar {
        days: &[24],
        months: &[29, 31],
    };
    run(
        20_280_229,
        "2028-02-16T06:00:00Z",
        &zones,
        90_000,
        &calendar,
    );
}
