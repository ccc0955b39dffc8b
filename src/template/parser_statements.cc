// The statements of Parser.
#include <algorithm>

#include "template/parser.h"

namespace hearth::jinja {
namespace {

struct Level {
  explicit Level(int& count) : count(count) { ++count; }
  ~Level() { --count; }
  int& count;
};

// Remembers a counter, sets it to zero, and puts it back.
struct Outside {
  explicit Outside(int& count) : count(count), saved(count) { count = 0; }
  ~Outside() { count = saved; }
  int& count;
  int saved;
};

std::string listed(const std::vector<std::string_view>& names) {
  std::string out;
  for (std::string_view name : names) {
    out += (out.empty() ? "'" : " or '") + std::string(name) + "'";
  }
  return out;
}

}  // namespace

// Text, prints and statements up to a tag that starts with one of `ends`, or to the end.
Result<NodeId> Parser::body(const Names& ends) {
  Level level(nesting_);
  if (nesting_ > kNestingMax) return error("the template nests too deeply here");
  uint32_t pos = now().pos;
  std::vector<uint32_t> parts;
  for (;;) {
    const Token& token = now();
    if (token.kind == TokenKind::kData) {
      uint32_t text = text_constant(std::string(token.text));
      parts.push_back(TRY(add({NodeKind::kData, Op::kAdd, 1, token.pos, text})));
      ++at_;
    } else if (token.kind == TokenKind::kVariableBegin) {
      ++at_;
      NodeId value = TRY(tuple(true, false));
      parts.push_back(TRY(add({NodeKind::kPrint, Op::kAdd, 1, token.pos, value})));
      TRY(expect(TokenKind::kVariableEnd, "'}}'"));
    } else if (token.kind == TokenKind::kBlockBegin) {
      ++at_;
      bool ends_here = now().kind == TokenKind::kName && std::ranges::find(ends, now().text) !=
                                                             ends.end();
      if (ends_here) break;
      parts.push_back(TRY(statement()));
      TRY(expect(TokenKind::kBlockEnd, "'%}'"));
    } else {
      break;
    }
  }
  return add_list(NodeKind::kBody, pos, parts);
}

Result<NodeId> Parser::block_body(const Names& ends) {
  skip_op(":");
  TRY(expect(TokenKind::kBlockEnd, "'%}'"));
  uint32_t pos = now().pos;
  NodeId made = TRY(body(ends));
  if (now().kind == TokenKind::kEnd) {
    return error_at(pos, fmt::format("the template ends before {}", listed(ends)));
  }
  return made;
}

Result<NodeId> Parser::last_body(std::string_view end) {
  NodeId made = TRY(block_body({end}));
  ++at_;
  return made;
}

Result<NodeId> Parser::statement() {
  using Method = Result<NodeId> (Parser::*)();
  static constexpr std::pair<std::string_view, Method> kStatements[] = {
      {"for", &Parser::for_statement},         {"if", &Parser::if_statement},
      {"set", &Parser::set_statement},         {"macro", &Parser::macro_statement},
      {"call", &Parser::call_statement},       {"filter", &Parser::filter_statement},
      {"with", &Parser::with_statement},       {"generation", &Parser::scoped_statement},
      {"autoescape", &Parser::scoped_statement}, {"block", &Parser::block_statement},
      {"print", &Parser::print_statement},     {"break", &Parser::jump_statement},
      {"continue", &Parser::jump_statement},   {"include", &Parser::refused_statement},
      {"import", &Parser::refused_statement},  {"from", &Parser::refused_statement},
      {"extends", &Parser::refused_statement},
  };
  if (now().kind != TokenKind::kName) return error("expected a statement, got " + described());
  for (const auto& [name, method] : kStatements) {
    if (now().text == name) return (this->*method)();
  }
  return error(fmt::format("unknown statement '{}'", now().text.substr(0, 40)));
}

Result<NodeId> Parser::for_statement() {
  size_t unknown = unknown_.size();
  uint32_t pos = now().pos;
  ++at_;
  LoopData loop;
  Level all(all_loops_);
  loop.target = TRY(target(false, "in"));
  TRY(expect_name("in"));
  loop.iter = TRY(tuple(false, false, "recursive"));
  size_t body_unknown = unknown_.size();
  if (skip_name("if")) loop.test = TRY(expression());
  loop.recursive = skip_name("recursive");
  {
    Level inside(loops_);
    loop.body = TRY(block_body({"endfor", "else"}));
  }
  bool otherwise = now().is_name("else");
  ++at_;
  if (otherwise) loop.otherwise = TRY(last_body("endfor"));
  harden(loop.recursive ? unknown : body_unknown);
  uint16_t depth =
      static_cast<uint16_t>(std::max(node(loop.body).depth, node(loop.iter).depth) + 1);
  if (otherwise) {
    depth = std::max<uint16_t>(depth, static_cast<uint16_t>(node(loop.otherwise).depth + 1));
  }
  program_.loops.push_back(loop);
  return add({NodeKind::kFor, Op::kAdd, depth, pos,
              static_cast<uint32_t>(program_.loops.size() - 1)});
}

Result<NodeId> Parser::if_statement() {
  size_t unknown = unknown_.size();
  uint32_t pos = now().pos;
  std::vector<uint32_t> branches;
  NodeId otherwise = kNoNode;
  for (;;) {
    ++at_;  // if, elif
    branches.push_back(TRY(tuple(false, false)));
    branches.push_back(TRY(block_body({"elif", "else", "endif"})));
    if (now().is_name("elif")) continue;
    bool last = now().is_name("else");
    ++at_;
    if (last) otherwise = TRY(last_body("endif"));
    break;
  }
  soften(unknown);
  NodeId made = TRY(add_list(NodeKind::kIf, pos, branches, kNoNode, otherwise));
  if (otherwise != kNoNode) {
    node(made).depth =
        std::max<uint16_t>(node(made).depth, static_cast<uint16_t>(node(otherwise).depth + 1));
  }
  return made;
}

Result<NodeId> Parser::set_statement() {
  uint32_t pos = now().pos;
  ++at_;
  NodeId into = TRY(target(true, {}));
  if (skip_op("=")) {
    NodeId value = TRY(tuple(true, false));
    uint16_t depth = static_cast<uint16_t>(node(value).depth + 1);
    return add({NodeKind::kSet, Op::kAdd, depth, pos, into, value});
  }
  size_t unknown = unknown_.size();
  NodeId filter = now().is_op("|") ? TRY(filter_chain(kNoNode, false)) : kNoNode;
  NodeId text = TRY(last_body("endset"));
  harden(unknown);
  uint16_t depth = static_cast<uint16_t>(node(text).depth + 1);
  return add({NodeKind::kSetBlock, Op::kAdd, depth, pos, into, filter, 0, text});
}

// (a, b=1): the parameters of a macro or call block.
Result<void> Parser::signature(MacroData& macro) {
  TRY(expect_op("("));
  while (!now().is_op(")")) {
    if (!macro.params.empty()) TRY(expect_op(","));
    NodeId name = TRY(name_target());
    uint32_t id = node(name).a;
    if (std::ranges::find(macro.params, id) != macro.params.end()) {
      return error("two parameters have the same name");
    }
    macro.params.push_back(id);
    if (skip_op("=")) {
      macro.defaults.push_back(TRY(expression()));
    } else if (!macro.defaults.empty()) {
      return error("a parameter without a default follows one with a default");
    }
  }
  return expect_op(")");
}

Result<NodeId> Parser::macro_body(MacroData macro, std::string_view end) {
  uint32_t pos = now().pos;
  size_t unknown = unknown_.size();
  Outside loops(loops_);
  reads_.push_back({{program_.caller_symbol, program_.kwargs_symbol, program_.varargs_symbol}});
  auto text = last_body(end);
  Reads reads = reads_.back();
  reads_.pop_back();
  macro.body = TRY(std::move(text));
  harden(unknown);
  auto is_param = [&](uint32_t id) {
    return std::ranges::find(macro.params, id) != macro.params.end();
  };
  macro.uses_caller = reads.read[0];
  macro.uses_kwargs = reads.read[1] && !is_param(program_.kwargs_symbol);
  macro.uses_varargs = reads.read[2] && !is_param(program_.varargs_symbol);
  if (macro.uses_caller && is_param(program_.caller_symbol)) {
    size_t first = macro.params.size() - macro.defaults.size();
    for (size_t i = 0; i < first; ++i) {
      if (macro.params[i] == program_.caller_symbol) {
        return error_at(pos, "the parameter 'caller' must have a default");
      }
    }
  }
  uint16_t depth = static_cast<uint16_t>(node(macro.body).depth + 1);
  program_.macros.push_back(std::move(macro));
  return add({NodeKind::kMacro, Op::kAdd, depth, pos,
              static_cast<uint32_t>(program_.macros.size() - 1)});
}

Result<NodeId> Parser::macro_statement() {
  ++at_;
  MacroData macro;
  macro.name = text_constant(std::string(now().text));
  NodeId name = TRY(name_target());
  macro.symbol = node(name).a;
  TRY(signature(macro));
  return macro_body(std::move(macro), "endmacro");
}

Result<NodeId> Parser::call_statement() {
  uint32_t pos = now().pos;
  ++at_;
  MacroData macro;
  macro.name = text_constant("caller");
  macro.symbol = program_.caller_symbol;
  if (now().is_op("(")) TRY(signature(macro));
  NodeId called = TRY(expression());
  if (node(called).kind != NodeKind::kCall) return error_at(pos, "expected a call");
  NodeId caller = TRY(macro_body(std::move(macro), "endcall"));
  uint16_t depth = static_cast<uint16_t>(std::max(node(called).depth, node(caller).depth) + 1);
  return add({NodeKind::kCallBlock, Op::kAdd, depth, pos, called, node(caller).a});
}

Result<NodeId> Parser::filter_statement() {
  size_t unknown = unknown_.size();
  uint32_t pos = now().pos;
  ++at_;
  NodeId filter = TRY(filter_chain(kNoNode, true));
  NodeId text = TRY(last_body("endfilter"));
  harden(unknown);
  uint16_t depth = static_cast<uint16_t>(std::max(node(filter).depth, node(text).depth) + 1);
  return add({NodeKind::kFilterBlock, Op::kAdd, depth, pos, filter, 0, 0, text});
}

Result<NodeId> Parser::with_statement() {
  uint32_t pos = now().pos;
  ++at_;
  std::vector<uint32_t> pairs;
  while (now().kind != TokenKind::kBlockEnd) {
    if (!pairs.empty()) TRY(expect_op(","));
    Outside loops(all_loops_);  // `loop` may be set here
    pairs.push_back(TRY(target(false, {})));
    TRY(expect_op("="));
    pairs.push_back(TRY(expression()));
  }
  size_t unknown = unknown_.size();
  NodeId inner = TRY(last_body("endwith"));
  harden(unknown);
  NodeId made = TRY(add_list(NodeKind::kWith, pos, pairs, kNoNode, inner));
  node(made).depth =
      std::max<uint16_t>(node(made).depth, static_cast<uint16_t>(node(inner).depth + 1));
  return made;
}

// {% generation %} of transformers (a call block without a call, so its names are its own), and
// {% autoescape x %}, which is refused where x is true: chat templates escape nothing.
Result<NodeId> Parser::scoped_statement() {
  uint32_t pos = now().pos;
  bool generation = now().is_name("generation");
  ++at_;
  NodeId escapes = generation ? kNoNode : TRY(expression());
  size_t unknown = unknown_.size();
  int saved = loops_;
  if (generation) loops_ = 0;
  auto inner = last_body(generation ? "endgeneration" : "endautoescape");
  loops_ = saved;
  NodeId text = TRY(std::move(inner));
  harden(unknown);
  uint16_t depth = static_cast<uint16_t>(node(text).depth + 1);
  return add({NodeKind::kScoped, Op::kAdd, depth, pos, escapes, 0, 0, text});
}

Result<NodeId> Parser::block_statement() {
  uint32_t pos = now().pos;
  ++at_;
  std::string_view name = now().text;
  TRY(expect(TokenKind::kName, "the name of the block"));
  bool scoped = skip_name("scoped");
  skip_name("required");
  size_t unknown = unknown_.size();
  Outside loops(loops_);
  NodeId text = TRY(last_body("endblock"));
  harden(unknown);
  skip_name(name);
  uint16_t depth = static_cast<uint16_t>(node(text).depth + 1);
  return add({scoped ? NodeKind::kScoped : NodeKind::kBlock, Op::kAdd, depth, pos, kNoNode, 0, 0,
              text});
}

Result<NodeId> Parser::print_statement() {
  uint32_t pos = now().pos;
  ++at_;
  std::vector<uint32_t> parts;
  while (now().kind != TokenKind::kBlockEnd) {
    if (!parts.empty()) TRY(expect_op(","));
    NodeId value = TRY(expression());
    parts.push_back(TRY(add({NodeKind::kPrint, Op::kAdd, 1, pos, value})));
  }
  return add_list(NodeKind::kBody, pos, parts);
}

Result<NodeId> Parser::jump_statement() {
  uint32_t pos = now().pos;
  bool leaves = now().is_name("break");
  if (loops_ == 0) return error(fmt::format("'{}' outside of a loop", now().text));
  ++at_;
  return add({leaves ? NodeKind::kBreak : NodeKind::kContinue, Op::kAdd, 1, pos});
}

// Parsed, because a template may hold one that is never reached; refused when it is.
Result<NodeId> Parser::refused_statement() {
  uint32_t pos = now().pos;
  uint32_t name = text_constant(std::string(now().text));
  ++at_;
  while (now().kind != TokenKind::kBlockEnd) {
    if (now().kind == TokenKind::kEnd) return error("unexpected " + described());
    ++at_;
  }
  return add({NodeKind::kRefused, Op::kAdd, 1, pos, name});
}

// ---- targets

Result<NodeId> Parser::name_target() {
  uint32_t pos = now().pos;
  std::string_view name = now().text;
  TRY(expect(TokenKind::kName, "a name"));
  for (std::string_view literal : {"true", "false", "none", "True", "False", "None"}) {
    if (name == literal) return error_at(pos, fmt::format("cannot assign to '{}'", name));
  }
  uint32_t id = symbol(name);
  note_store(id);
  return add({NodeKind::kStore, Op::kAdd, 1, pos, id});
}

Result<NodeId> Parser::target_item(bool attributes) {
  uint32_t pos = now().pos;
  if (skip_op("(")) {
    Level level(nesting_);
    if (nesting_ > kNestingMax) return error("the template nests too deeply here");
    std::vector<uint32_t> items;
    bool comma = false;
    while (!now().is_op(")")) {
      if (!items.empty()) TRY(expect_op(","));
      if (now().is_op(")")) break;
      items.push_back(TRY(target_item(false)));
      comma |= now().is_op(",");
    }
    TRY(expect_op(")"));
    if (!comma && items.size() == 1) return items[0];
    return add_list(NodeKind::kTuple, pos, items);
  }
  if (attributes && now().kind == TokenKind::kName && ahead().is_op(".")) {
    uint32_t space = symbol(now().text);
    at_ += 2;
    uint32_t attribute = symbol(now().text);
    TRY(expect(TokenKind::kName, "the name of an attribute"));
    return add({NodeKind::kStoreAttr, Op::kAdd, 1, pos, space, attribute});
  }
  if (all_loops_ > 0 && now().is_name("loop")) {
    return error("cannot assign to the special variable 'loop' in a loop");
  }
  return name_target();
}

// What stands left of `=` or `in`: a name, an attribute of a namespace, or several with commas.
Result<NodeId> Parser::target(bool attributes, std::string_view end) {
  uint32_t pos = now().pos;
  std::vector<uint32_t> items = {TRY(target_item(attributes))};
  bool comma = false;
  while (skip_op(",")) {
    comma = true;
    if (at_tuple_end(end) || now().is_op("=")) break;
    items.push_back(TRY(target_item(attributes)));
  }
  if (!comma) return items[0];
  return add_list(NodeKind::kTuple, pos, items);
}

}  // namespace hearth::jinja
