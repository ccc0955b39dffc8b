// Which names are hidden at the start of a block.
//
// Jinja decides where a name lives when it compiles: a name that a block sets before it reads it
// is the block's own from the first line on, even where an inner block reads it earlier. In
//     {% for m in messages %}{{ tools }}{% endfor %}{% set tools = 1 %}
// the loop prints nothing, though the context has tools. A name set in some branches of an `if`
// only is looked up outside until it is set. This pass finds those names, and the evaluator
// hides them when it enters the block.
#include "template/scopes.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace hearth::jinja {
namespace {

enum class Load : uint8_t { kOutside, kUndefined };

// The names of one block, filled in the order of its text.
struct Names {
  const Names* parent = nullptr;
  std::unordered_map<uint32_t, Load> known;
  std::unordered_set<uint32_t> stored;
  // What was added since a branch of an `if` began, so that it can be taken back.
  std::vector<std::pair<uint32_t, Load>> added;
  std::vector<uint32_t> newly_stored;

  bool has(uint32_t name) const {
    for (const Names* at = this; at; at = at->parent) {
      if (at->known.contains(name)) return true;
    }
    return false;
  }
  void define(uint32_t name, Load load) {
    if (known.emplace(name, load).second) added.emplace_back(name, load);
  }
  void parameter(uint32_t name) { define(name, Load::kOutside); }
  void load(uint32_t name) {
    if (!has(name)) define(name, Load::kOutside);
  }
  void store(uint32_t name) {
    if (stored.insert(name).second) newly_stored.push_back(name);
    if (known.contains(name)) return;
    bool outer = parent && parent->has(name);
    define(name, outer ? Load::kOutside : Load::kUndefined);
  }
};

class Finder {
 public:
  explicit Finder(Program& program) : program_(program) {}

  void run() {
    Names top;
    block(program_.root, top);
  }

 private:
  struct Branch {
    std::vector<std::pair<uint32_t, Load>> added;
    std::vector<uint32_t> stored;
  };

  const Node& node(NodeId id) const { return program_.nodes[id]; }
  uint32_t listed(const Node& of, uint32_t i) const { return program_.lists[of.b + i]; }

  void expression(NodeId id, Names& names);
  void arguments(const CallData& call, Names& names);
  void target(NodeId id, Names& names, bool parameter);
  void statement(NodeId id, Names& names);
  void if_statement(const Node& node, Names& names);
  template <class Visit>
  Branch branch(Names& names, Visit visit);
  void merge(Names& names, const Branch& branch);
  void block(NodeId body, Names& names);
  void inner_blocks(NodeId id, const Names& names);
  void loop_blocks(const LoopData& loop, const Names& names);
  void macro_block(const MacroData& macro, const Names& names);

  Program& program_;
};

void Finder::arguments(const CallData& call, Names& names) {
  for (NodeId arg : call.args) expression(arg, names);
  for (const auto& [name, arg] : call.named) expression(arg, names);
  expression(call.star, names);
  expression(call.star_star, names);
}

void Finder::expression(NodeId id, Names& names) {
  if (id == kNoNode) return;
  const Node& at = node(id);
  switch (at.kind) {
    case NodeKind::kName: names.load(at.a); break;
    case NodeKind::kTuple:
    case NodeKind::kList:
    case NodeKind::kDict:
    case NodeKind::kConcat:
      for (uint32_t i = 0; i < at.c; ++i) expression(listed(at, i), names);
      break;
    case NodeKind::kCompare:
      expression(at.a, names);
      for (uint32_t i = 1; i < at.c; i += 2) expression(listed(at, i), names);
      break;
    case NodeKind::kSlice:
      expression(at.a, names);
      for (uint32_t i = 0; i < at.c; ++i) expression(listed(at, i), names);
      break;
    case NodeKind::kUnary:
    case NodeKind::kGetattr: expression(at.a, names); break;
    case NodeKind::kBinary:
    case NodeKind::kGetitem:
      expression(at.a, names);
      expression(at.b, names);
      break;
    case NodeKind::kCond:
      expression(at.a, names);
      expression(at.b, names);
      expression(at.c, names);
      break;
    case NodeKind::kCall:
    case NodeKind::kFilter:
    case NodeKind::kTest:
      expression(at.a, names);
      arguments(program_.calls[at.b], names);
      break;
    default: break;
  }
}

void Finder::target(NodeId id, Names& names, bool parameter) {
  const Node& at = node(id);
  if (at.kind == NodeKind::kTuple) {
    for (uint32_t i = 0; i < at.c; ++i) target(listed(at, i), names, parameter);
  } else if (at.kind == NodeKind::kStoreAttr) {
    names.load(at.a);
  } else if (parameter) {
    names.parameter(at.a);
  } else {
    names.store(at.a);
  }
}

// What a statement does to the names of its own block; inner blocks come later.
void Finder::statement(NodeId id, Names& names) {
  const Node& at = node(id);
  switch (at.kind) {
    case NodeKind::kBody:
      for (uint32_t i = 0; i < at.c; ++i) statement(listed(at, i), names);
      break;
    case NodeKind::kPrint: expression(at.a, names); break;
    case NodeKind::kIf: if_statement(at, names); break;
    case NodeKind::kFor: expression(program_.loops[at.a].iter, names); break;
    case NodeKind::kSet:
      expression(at.b, names);
      target(at.a, names, false);
      break;
    case NodeKind::kSetBlock: target(at.a, names, false); break;
    case NodeKind::kMacro: names.store(program_.macros[at.a].symbol); break;
    case NodeKind::kCallBlock:
    case NodeKind::kFilterBlock: expression(at.a, names); break;
    case NodeKind::kWith:
      for (uint32_t i = 1; i < at.c; i += 2) expression(listed(at, i), names);
      break;
    default: break;
  }
}

// Visits one branch and takes back what it added.
template <class Visit>
Finder::Branch Finder::branch(Names& names, Visit visit) {
  auto added = std::exchange(names.added, {});
  auto stored = std::exchange(names.newly_stored, {});
  visit();
  Branch out{std::exchange(names.added, std::move(added)),
             std::exchange(names.newly_stored, std::move(stored))};
  for (const auto& [name, load] : out.added) names.known.erase(name);
  for (uint32_t name : out.stored) names.stored.erase(name);
  return out;
}

// A name that a branch sets first may be unset after the `if`, so it is looked up outside.
void Finder::merge(Names& names, const Branch& branch) {
  for (const auto& [name, load] : branch.added) names.define(name, Load::kOutside);
  for (uint32_t name : branch.stored) {
    if (names.stored.insert(name).second) names.newly_stored.push_back(name);
  }
}

void Finder::if_statement(const Node& at, Names& names) {
  std::vector<Branch> branches;
  expression(listed(at, 0), names);
  branches.push_back(branch(names, [&] { statement(listed(at, 1), names); }));
  branches.push_back(branch(names, [&] {
    for (uint32_t i = 2; i < at.c; i += 2) {
      expression(listed(at, i), names);
      merge(names, branch(names, [&] { statement(listed(at, i + 1), names); }));
    }
  }));
  branches.push_back(branch(names, [&] {
    if (at.d != kNoNode) statement(at.d, names);
  }));
  for (const Branch& each : branches) merge(names, each);
}

// A whole block: its names, what it hides, then the blocks inside it.
void Finder::block(NodeId body, Names& names) {
  statement(body, names);
  std::vector<uint32_t> hidden;
  for (const auto& [name, load] : names.known) {
    if (load == Load::kUndefined) hidden.push_back(name);
  }
  if (!hidden.empty()) {
    std::ranges::sort(hidden);
    program_.nodes[body].a = static_cast<uint32_t>(program_.hidden.size());
    program_.hidden.push_back(std::move(hidden));
  }
  inner_blocks(body, names);
}

void Finder::loop_blocks(const LoopData& loop, const Names& names) {
  Names inside{&names};
  inside.parameter(program_.loop_symbol);
  target(loop.target, inside, true);
  block(loop.body, inside);
  if (loop.otherwise == kNoNode) return;
  Names otherwise{&names};
  block(loop.otherwise, otherwise);
}

void Finder::macro_block(const MacroData& macro, const Names& names) {
  Names inside{&names};
  for (uint32_t param : macro.params) inside.parameter(param);
  if (macro.uses_caller) inside.parameter(program_.caller_symbol);
  if (macro.uses_kwargs) inside.parameter(program_.kwargs_symbol);
  if (macro.uses_varargs) inside.parameter(program_.varargs_symbol);
  for (NodeId value : macro.defaults) expression(value, inside);
  block(macro.body, inside);
}

void Finder::inner_blocks(NodeId id, const Names& names) {
  const Node at = node(id);
  switch (at.kind) {
    case NodeKind::kBody:
      for (uint32_t i = 0; i < at.c; ++i) inner_blocks(listed(at, i), names);
      break;
    case NodeKind::kIf:
      for (uint32_t i = 1; i < at.c; i += 2) inner_blocks(listed(at, i), names);
      if (at.d != kNoNode) inner_blocks(at.d, names);
      break;
    case NodeKind::kFor: loop_blocks(program_.loops[at.a], names); break;
    case NodeKind::kMacro: macro_block(program_.macros[at.a], names); break;
    case NodeKind::kCallBlock: macro_block(program_.macros[at.b], names); break;
    case NodeKind::kWith: {
      Names inside{&names};
      for (uint32_t i = 0; i < at.c; i += 2) target(listed(at, i), inside, true);
      block(at.d, inside);
      break;
    }
    case NodeKind::kSetBlock:
    case NodeKind::kFilterBlock:
    case NodeKind::kScoped: {
      Names inside{&names};
      block(at.d, inside);
      break;
    }
    case NodeKind::kBlock: {
      Names alone;
      block(at.d, alone);
      break;
    }
    default: break;
  }
}

}  // namespace

void find_hidden_names(Program& program) { Finder(program).run(); }

}  // namespace hearth::jinja
