// Program: a template after parsing. Nodes live in one array and name each other by index; what
// does not fit into a node (argument lists, loops, macros) lies in tables beside it. Immutable
// after compile, so that any number of threads may render it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "template/builtin.h"
#include "template/value.h"

namespace hearth::jinja {

using NodeId = uint32_t;
inline constexpr NodeId kNoNode = UINT32_MAX;

// How deep expressions and blocks may nest, in the text and in the tree made of it.
inline constexpr int kNestingMax = 200;

enum class NodeKind : uint8_t {
  // Expressions. `list` is Program::lists[b .. b + c).
  kConst,    // a: constant
  kName,     // a: symbol
  kTuple,    // list
  kList,     // list
  kDict,     // list: key, value, key, value, ...
  kUnary,    // op, a
  kBinary,   // op, a, b
  kConcat,   // list
  kCompare,  // a; list: op, expression, op, expression, ...
  kCond,     // a: value, b: test, c: otherwise or kNoNode
  kGetattr,  // a, b: symbol
  kGetitem,  // a, b
  kSlice,    // a: subject; list of 3: start, stop, step (each may be kNoNode)
  kCall,     // a: callee, b: call
  kFilter,   // a: subject or kNoNode for the captured text, b: call, c: builtin, d: name constant
  kTest,     // a, b: call, c: builtin, d: name constant
  // Statements
  kBody,         // list; a: index into Program::hidden, or kNoNode
  kData,         // a: constant
  kPrint,        // a
  kIf,           // list: test, body, test, body, ...; d: else or kNoNode
  kFor,          // a: loop
  kSet,          // a: target, b: value
  kSetBlock,     // a: target, b: filter or kNoNode, d: body
  kMacro,        // a: macro
  kCallBlock,    // a: call node, b: macro
  kFilterBlock,  // a: filter, d: body
  kWith,         // list: target, value, ...; d: body
  kScoped,       // a: whether to escape, or kNoNode; d: body with names of its own
  kBlock,        // d: body that sees only the names of the top level
  kBreak,
  kContinue,
  kRefused,  // a: constant, the name of a statement that needs other files
  // Targets of assignments; kTuple nests them
  kStore,     // a: symbol
  kStoreAttr  // a: symbol of the namespace, b: symbol of its attribute
};

enum class Op : uint8_t {
  kAdd, kSub, kMul, kDiv, kFloorDiv, kMod, kPow, kAnd, kOr,
  kNeg, kPos, kNot,
  kEq, kNe, kLt, kLe, kGt, kGe, kIn, kNotIn,
};

struct Node {
  NodeKind kind;
  Op op = Op::kAdd;
  uint16_t depth = 1;
  uint32_t pos;  // byte offset in the source
  uint32_t a = kNoNode, b = 0, c = 0, d = kNoNode;
};

struct CallData {
  std::vector<NodeId> args;
  std::vector<std::pair<uint32_t, NodeId>> named;  // constant, expression
  NodeId star = kNoNode;
  NodeId star_star = kNoNode;
};

struct LoopData {
  NodeId target, iter, test = kNoNode, body, otherwise = kNoNode;
  bool recursive = false;
};

struct MacroData {
  uint32_t name;  // constant
  uint32_t symbol;
  std::vector<uint32_t> params;  // symbols
  std::vector<NodeId> defaults;  // of the last params
  NodeId body;
  bool uses_caller = false, uses_kwargs = false, uses_varargs = false;
};

struct Symbol {
  Value name;  // string constant
  const MethodSet* methods = nullptr;
  const Builtin* global = nullptr;
};

struct Program {
  std::string source;  // newlines are \n
  std::vector<std::unique_ptr<Object>> objects;  // of the constants; destroyed after them
  std::vector<Node> nodes;
  std::vector<uint32_t> lists;
  std::vector<CallData> calls;
  std::vector<LoopData> loops;
  std::vector<MacroData> macros;
  std::vector<std::vector<uint32_t>> hidden;  // symbols that a block hides until it sets them
  std::vector<const Builtin*> builtins;  // null: no filter or test has that name
  std::vector<Value> constants;
  std::vector<Symbol> symbols;
  NodeId root = kNoNode;
  uint32_t loop_symbol = 0, caller_symbol = 0, kwargs_symbol = 0, varargs_symbol = 0;
};

// "line L, column C" of an offset; columns count characters from 1.
std::string position_text(std::string_view source, uint32_t offset);

}  // namespace hearth::jinja
