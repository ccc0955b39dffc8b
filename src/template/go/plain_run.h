// For tests: a template as Go's text/template runs it (with missingkey=zero and Ollama's
// functions), over any JSON, without what Ollama does around it.
#pragma once

#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "template/go/exec.h"
#include "template/go/parser.h"

namespace hearth::gotmpl {

inline Result<Rendered> run_plain(const Program& program, const Json& data,
                                  Budget budget = {1'000'000, 16u << 20}) {
  Rendered out;
  Value value = data.is_null() ? Value() : TRY(decode(data, kAny, true));
  TRY(Exec(program.source, program.trees, {.now = 1767323045}, budget).run(value, out));
  return out;
}

}  // namespace hearth::gotmpl
