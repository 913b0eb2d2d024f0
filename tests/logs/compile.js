// Compiles KQL with Microsoft's language service against declared tables.
// stdin: {"tables": {name: {column: type}}, "queries": {name: text}}; stdout: {name: ["code: message", ...]}.
const path = require('path');
require(path.join(process.argv[2], 'bridge.js'));
require(path.join(process.argv[2], 'Kusto.Language.Bridge.js'));
const K = globalThis.Kusto.Language;
const S = K.Symbols;
const input = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const tables = Object.entries(input.tables).map(([name, columns]) =>
  S.TableSymbol.From('(' + Object.entries(columns).map(([c, t]) => `['${c}']: ${t}`).join(', ') + ')').WithName(name));
const database = new S.DatabaseSymbol.ctor('workspace', tables);
const globals = K.GlobalState.Default.WithDatabase(database);
const out = {};
for (const [name, text] of Object.entries(input.queries)) {
  const code = K.KustoCode.ParseAndAnalyze(text, globals);
  const found = code.GetDiagnostics();
  out[name] = [];
  for (let i = 0; i < found.Count; i++) {
    const one = found.getItem ? found.getItem(i) : found[i];
    out[name].push(`${one.Code}: ${one.Message}`);
  }
}
process.stdout.write(JSON.stringify(out));
