//! The command line of Tellus: the service, and what a shell does with one.

mod cli;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cli::Failure;
use tellus::http::document_json;

/// A Bayesian black-box optimization service.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the service.
    Serve(cli::serve::Serve),
    /// Bring the database's schema up to date, or check whether it is, and do nothing else.
    Migrate(cli::serve::Migrate),
    /// Make, list and revoke tokens in the database; the first one of a server is made here.
    Token(cli::token::Token),
    /// Write a study, a project or everything to a file of lines.
    Export(cli::archive::Export),
    /// Take in what was exported, also from a database of the other kind.
    Import(cli::archive::Import),
    /// Print the OpenAPI document.
    Openapi,
    /// Ask a running service whether it can work; for containers.
    Healthcheck {
        /// Where it is.
        #[arg(long, default_value = "http://127.0.0.1:8080")]
        url: String,
    },
    /// Optimize a command: run it with the parameters that the service proposes, and tell what it prints.
    Run(cli::run::Run),
    /// Show the best trials of a study, and what its model recommends.
    Best(cli::look::Best),
    /// List the trials of a study.
    Trials(cli::look::Trials),
    /// Follow the events of a study as they happen.
    Watch(cli::look::Watch),
    /// Draw a study's trials, and its best so far, as an SVG picture.
    Plot(cli::plot::Plot),
    /// Serve an assistant over standard input and output (Model Context Protocol).
    Mcp(cli::mcp::Mcp),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("tellus: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(arguments) => cli::serve::serve(arguments).await,
        Command::Migrate(arguments) => cli::serve::migrate(arguments).await,
        Command::Token(arguments) => cli::token::token(arguments).await,
        Command::Export(arguments) => cli::archive::export_studies(arguments).await,
        Command::Import(arguments) => cli::archive::import_studies(arguments).await,
        Command::Openapi => {
            print!("{}", document_json()?);
            Ok(())
        }
        Command::Healthcheck { url } => cli::healthcheck::healthcheck(&url),
        Command::Run(arguments) => cli::run::run(arguments).await,
        Command::Best(arguments) => cli::look::best(arguments).await,
        Command::Trials(arguments) => cli::look::trials(arguments).await,
        Command::Watch(arguments) => cli::look::watch(arguments).await,
        Command::Plot(arguments) => cli::plot::plot(arguments).await,
        Command::Mcp(arguments) => cli::mcp::mcp(arguments).await,
    }
}
