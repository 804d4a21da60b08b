//! A new migration must be seen by `sqlx::migrate!`, which reads the folder at compile time.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
