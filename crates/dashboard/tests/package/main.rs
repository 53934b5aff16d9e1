//! The Debian package, its units, the container file, and the operator's guide, whose commands are run as they stand there.

mod container;
mod debian;
mod files;
mod guide;
mod machine;
mod majors;
mod operator;
