#include "template/go/inspect.h"

#include <algorithm>

#include "template/go/lexer.h"

namespace hearth::gotmpl {
namespace {

using Names = std::set<std::string, std::less<>>;

bool has_name(const Node& node, std::string_view name) {
  return std::find(node.names.begin(), node.names.end(), name) != node.names.end();
}

void lower_into(const std::vector<std::string>& names, Names& out) {
  for (std::string name : names) {
    for (char& c : name)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    out.insert(std::move(name));
  }
}

// False where a template is called without a value.
bool collect(const Node& node, Names& out) {
  switch (node.kind) {
    case NodeKind::kField:
    case NodeKind::kVariable: lower_into(node.names, out); return true;
    case NodeKind::kTemplate:
      if (!node.pipe) return false;
      break;
    case NodeKind::kChain: return true;  // Ollama looks at none of its names
    default: break;
  }
  bool ok = !node.pipe || collect(*node.pipe, out);
  for (const NodePtr& child : node.children) ok = ok && collect(*child, out);
  if (ok && node.list) ok = collect(*node.list, out);
  if (ok && node.else_list) ok = collect(*node.else_list, out);
  return ok;
}

std::string trimmed(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\n\v\f\r";
  size_t first = text.find_first_not_of(kSpaces);
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(kSpaces) - first + 1));
}

// Finds .Thinking in ranges over .Messages; the text at the two ends of the innermost list around
// it are the tags.
class TagFinder {
 public:
  void visit(const Node& node, const Node* range, const Node* list) {
    if (node.kind == NodeKind::kList) list = &node;
    if (node.kind == NodeKind::kRange) range = &node;
    if (node.kind == NodeKind::kField && node.names[0] == "Thinking" && range && list)
      take(*range, *list);
    if (node.kind == NodeKind::kChain) return;
    if (node.pipe) visit(*node.pipe, range, list);
    for (const NodePtr& child : node.children) visit(*child, range, list);
    if (node.list) visit(*node.list, range, list);
    if (node.else_list) visit(*node.else_list, range, list);
  }
  ThinkingTags tags;

 private:
  static bool uses_messages(const Node& node) {
    if (node.kind == NodeKind::kField && node.names[0] == "Messages") return true;
    if (node.kind == NodeKind::kChain) return false;
    return std::any_of(node.children.begin(), node.children.end(),
                       [](const NodePtr& child) { return uses_messages(*child); });
  }
  void take(const Node& range, const Node& list) {
    if (!uses_messages(*range.pipe) || list.children.empty()) return;
    const Node& first = *list.children.front();
    const Node& last = *list.children.back();
    if (first.kind == NodeKind::kText) tags.open = trimmed(first.text);
    if (last.kind == NodeKind::kText) tags.close = trimmed(last.text);
  }
};

// Goes over a tree in Ollama's order and takes out all that comes after the first .Response.
class Cutter {
 public:
  // Whether the node goes away.
  bool cut(Node& node) {
    if (node.kind == NodeKind::kField && has_name(node, "Response")) {
      found_ = true;
      return false;
    }
    if (found_) return true;
    switch (node.kind) {
      case NodeKind::kList: cut_list(node); return false;
      case NodeKind::kIf:
      case NodeKind::kWith:
      case NodeKind::kRange:
        cut_list(*node.list);
        if (node.else_list) {
          if (found_) node.else_list->children.clear();
          else cut_list(*node.else_list);
        }
        return false;
      case NodeKind::kAction: return cut(*node.pipe);
      case NodeKind::kPipe: return cut_pipe(node);
      default: return false;
    }
  }

 private:
  void cut_list(Node& list) {
    std::erase_if(list.children, [&](NodePtr& child) { return cut(*child); });
  }
  bool cut_pipe(Node& pipe) {
    for (NodePtr& command : pipe.children) {
      std::erase_if(command->children, [&](NodePtr& arg) { return cut(*arg); });
      if (command->children.empty()) return true;
    }
    return false;
  }
  bool found_ = false;
};

NodePtr make(NodeKind kind) {
  auto node = std::make_unique<Node>();
  node->kind = kind;
  return node;
}

}  // namespace

Result<Names> used_names(const Program& program) {
  Names out;
  for (const auto& [name, tree] : program.trees)
    if (!collect(*tree, out))
      return fail(Code::kCorrupt, "a template is called without a value, which Ollama refuses");
  return out;
}

ThinkingTags thinking_tags(const Node& root) {
  TagFinder finder;
  finder.visit(root, nullptr, nullptr);
  return finder.tags;
}

NodePtr cut_after_response(const Node& root) {
  NodePtr out = copy(root);
  Cutter().cut(*out);
  return out;
}

NodePtr response_action() {
  NodePtr action = make(NodeKind::kAction);
  action->pipe = make(NodeKind::kPipe);
  action->pipe->children.push_back(make(NodeKind::kCommand));
  NodePtr field = make(NodeKind::kField);
  field->names = {"Response"};
  action->pipe->children[0]->children.push_back(std::move(field));
  return action;
}

}  // namespace hearth::gotmpl
