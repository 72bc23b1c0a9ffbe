// Builds the dashboard into dist/, which is committed and compiled into the program.
//
//   node build.mjs            types from the OpenAPI document, type check, bundle, compressed forms
//   node build.mjs --check    the same, and fails where dist/ is not what comes out
//   node build.mjs --fast     the bundle alone, without the type check
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync, existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, brotliDecompressSync, constants, gunzipSync, gzipSync } from "node:zlib";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");
const mode = process.argv[2] ?? "";

function run(program, ...words) {
  execFileSync(process.execPath, [join(here, "node_modules", program), ...words], { cwd: here, stdio: "inherit" });
}

function types() {
  mkdirSync(join(here, "generated"), { recursive: true });
  run("openapi-typescript/bin/cli.js", "../openapi/openapi.json", "-o", "generated/contract.ts");
  run("typescript/bin/tsc", "--project", "tsconfig.json");
}

// The licences of everything that ends up in the bundle.
function notices(inputs) {
  const packages = new Set();
  for (const path of inputs) {
    const found = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path);
    if (found) packages.add(found[1]);
  }
  packages.add("@fontsource-variable/inter");
  const parts = ["What the dashboard is made of besides its own code.\n"];
  for (const name of [...packages].sort()) {
    const folder = join(here, "node_modules", name);
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file ? readFileSync(join(folder, file), "utf8").trim() : `Licence: ${license}`;
    parts.push(`${"-".repeat(80)}\n${name} ${version}\n\n${text}\n`);
  }
  return parts.join("\n").replaceAll("\r\n", "\n");
}

async function files() {
  const result = await esbuild.build({
    absWorkingDir: here,
    entryPoints: { app: "src/main.tsx" },
    bundle: true,
    minify: true,
    format: "esm",
    target: ["chrome110", "firefox110", "safari16"],
    jsx: "automatic",
    jsxImportSource: "preact",
    external: ["/assets/*"],
    legalComments: "none",
    charset: "utf8",
    metafile: true,
    write: false,
    outdir: "dist",
  });
  const made = new Map();
  for (const file of result.outputFiles) made.set(file.path.split("/").pop(), Buffer.from(file.contents));
  const copy = (name, from) => made.set(name, readFileSync(join(here, from)));
  copy("index.html", "src/index.html");
  copy("icon.svg", "src/icon.svg");
  copy("inter.woff2", "node_modules/@fontsource-variable/inter/files/inter-latin-wght-normal.woff2");
  made.set("notices.txt", Buffer.from(notices(Object.keys(result.metafile.inputs))));
  return made;
}

const brotli = (bytes) =>
  brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } });

// The faults of dist/, one line each. Compressed forms are compared by what they hold: another zlib may pack otherwise.
function stale(made) {
  const faults = [];
  const read = (name) => (existsSync(join(dist, name)) ? readFileSync(join(dist, name)) : null);
  const same = (name, held, wanted) => {
    if (!held) faults.push(`dist/${name} is missing`);
    else if (!held.equals(wanted)) faults.push(`dist/${name} is stale`);
  };
  const unpack = (name, how) => {
    const bytes = read(name);
    return bytes && how(bytes);
  };
  for (const [name, bytes] of made) {
    same(name, read(name), bytes);
    if (name.endsWith(".woff2")) continue;
    same(`${name}.gz`, unpack(`${name}.gz`, gunzipSync), bytes);
    same(`${name}.br`, unpack(`${name}.br`, brotliDecompressSync), bytes);
  }
  const known = new Set([...made.keys()].flatMap((name) => [name, `${name}.gz`, `${name}.br`]));
  for (const name of readdirSync(dist)) if (!known.has(name)) faults.push(`dist/${name} is not made by the build`);
  return faults;
}

function write(made) {
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(dist, { recursive: true });
  let total = 0;
  for (const [name, bytes] of made) {
    writeFileSync(join(dist, name), bytes);
    if (name.endsWith(".woff2")) {
      total += bytes.length;
      continue;
    }
    const packed = brotli(bytes);
    writeFileSync(join(dist, `${name}.gz`), gzipSync(bytes, { level: 9 }));
    writeFileSync(join(dist, `${name}.br`), packed);
    if (name !== "notices.txt") total += packed.length;
    console.log(`${name.padEnd(14)} ${String(bytes.length).padStart(8)} bytes, ${packed.length} compressed`);
  }
  console.log(`${"a first visit".padEnd(14)} ${String(total).padStart(8)} bytes`);
}

if (mode !== "--fast") types();
const made = await files();
if (mode === "--check") {
  const faults = stale(made);
  if (faults.length > 0) {
    console.error(`${faults.join("\n")}\nBuild it anew and commit it: npm --prefix dashboard run build`);
    process.exit(1);
  }
  console.log("dist/ is what the source makes");
} else {
  write(made);
}
