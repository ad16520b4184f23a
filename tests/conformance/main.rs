//! The house rules as tests: who may depend on whom, what must stay absent where, and what every file owes its reader.

mod layers;
mod mutants;
mod sources;
mod style;
