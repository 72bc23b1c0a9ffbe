export { Connection, Refused, TellusError, Unreachable, type Options } from "./connection.js";
export { Client, minimize, Study, Trial, type MinimizeOptions } from "./study.js";
export type * from "./types.js";
