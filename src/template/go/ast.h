// The tree of a parsed Go template. One kind of node, so that the passes over the tree (names that
// it uses, the cut of legacy templates, the tags of thinking) need no visitor each.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "template/rendered.h"

namespace hearth::gotmpl {

struct Function;  // functions.h

enum class NodeKind : uint8_t {
  // what a template is made of
  kList,      // children
  kText,      // text
  kAction,    // pipe
  kIf,        // pipe, list, else_list or none
  kWith,      // the same
  kRange,     // the same
  kTemplate,  // text: the name; pipe or none
  kBreak,
  kContinue,
  // what stands between {{ and }}
  kPipe,        // names: variables set or declared; children: commands
  kCommand,     // children: the operands, the first one the function
  kField,       // names
  kChain,       // children[0], then names
  kVariable,    // names: "$x", then fields
  kIdentifier,  // function
  kDot,
  kNil,
  kBool,      // integer: 0 or 1
  kInteger,   // integer
  kFloat,     // number
  kOverflow,  // text: an integer that no int holds; an error when it is evaluated
  kString,    // constant
};

struct Node;
using NodePtr = std::unique_ptr<Node>;

struct Node {
  NodeKind kind;
  bool assigns = false;  // kPipe: = and not :=
  uint32_t pos = 0;      // byte of the source
  const Function* function = nullptr;
  int64_t integer = 0;
  double number = 0;
  std::string text;
  std::shared_ptr<const Rendered> constant;  // shared by all values that are this string
  std::vector<std::string> names;
  std::vector<NodePtr> children;
  NodePtr pipe, list, else_list;
};

// A whole copy.
NodePtr copy(const Node& node);

using Trees = std::map<std::string, NodePtr, std::less<>>;

struct Program {
  std::string source;
  Trees trees;  // by the name of define and block; the main one is ""
};

}  // namespace hearth::gotmpl
