// What Ollama reads off a template's tree: the names it uses, the tags around thinking, and the
// tree that legacy templates are cut to. Rules: Ollama's packages template and thinking.
#pragma once

#include <set>
#include <string>

#include "base/result.h"
#include "template/go/ast.h"

namespace hearth::gotmpl {

// The names of fields and variables in lower case. kCorrupt for {{template "x"}} without a
// value, which Ollama refuses.
Result<std::set<std::string, std::less<>>> used_names(const Program& program);

struct ThinkingTags {
  std::string open, close;  // empty where there are none
};
ThinkingTags thinking_tags(const Node& root);

// The tree without what follows the first .Response.
NodePtr cut_after_response(const Node& root);

// {{ .Response }}
NodePtr response_action();

}  // namespace hearth::gotmpl
