#include "template/parser.h"

#include <algorithm>

#include "base/utf8.h"
#include "template/scopes.h"

namespace hearth::jinja {

Result<std::unique_ptr<Program>> parse(std::string_view source,
                                       const TemplateSettings& settings) {
  auto program = std::make_unique<Program>();
  program->source = normalize_newlines(source, settings.keep_trailing_newline);
  if (!is_valid_utf8(program->source)) {
    program->source = replace_invalid_utf8(program->source);
  }
  if (program->source.size() >= (64u << 20)) {
    return fail(Code::kCorrupt, "line 1, column 1: the template is larger than 64 MiB");
  }
  TRY(Parser(*program).run(settings));
  find_hidden_names(*program);
  return program;
}

Result<void> Parser::run(const TemplateSettings& settings) {
  tokens_ = TRY(tokenize(program_.source, settings));
  program_.loop_symbol = symbol("loop");
  program_.caller_symbol = symbol("caller");
  program_.kwargs_symbol = symbol("kwargs");
  program_.varargs_symbol = symbol("varargs");
  program_.root = TRY(body({}));
  if (now().kind != TokenKind::kEnd) return error("unexpected " + described());
  for (const Unknown& unknown : unknown_) {
    if (!unknown.soft) return error_at(unknown.pos, unknown.message);
  }
  return {};
}

// ---- tokens

bool Parser::skip_op(std::string_view op) {
  if (!now().is_op(op)) return false;
  ++at_;
  return true;
}

bool Parser::skip_name(std::string_view name) {
  if (!now().is_name(name)) return false;
  ++at_;
  return true;
}

Result<void> Parser::expect_op(std::string_view op) {
  if (skip_op(op)) return {};
  return error(fmt::format("expected '{}', got {}", op, described()));
}

Result<void> Parser::expect_name(std::string_view name) {
  if (skip_name(name)) return {};
  return error(fmt::format("expected '{}', got {}", name, described()));
}

Result<void> Parser::expect(TokenKind kind, std::string_view what) {
  if (now().kind != kind) return error(fmt::format("expected {}, got {}", what, described()));
  ++at_;
  return {};
}

std::string Parser::described() const {
  switch (now().kind) {
    case TokenKind::kEnd: return "the end of the template";
    case TokenKind::kBlockEnd: return "the end of the statement";
    case TokenKind::kVariableEnd: return "the end of the print statement";
    case TokenKind::kData: return "text";
    case TokenKind::kBlockBegin: return "'{%'";
    case TokenKind::kVariableBegin: return "'{{'";
    default: return fmt::format("'{}'", now().text.substr(0, 40));
  }
}

bool Parser::at_tuple_end(std::string_view end) const {
  return now().kind == TokenKind::kVariableEnd || now().kind == TokenKind::kBlockEnd ||
         now().is_op(")") || (!end.empty() && now().is_name(end));
}

// ---- building

uint16_t Parser::depth_of(const Node& made) const {
  uint16_t depth = 0;
  auto see = [&](NodeId child) {
    if (child != kNoNode) depth = std::max(depth, program_.nodes[child].depth);
  };
  switch (made.kind) {
    case NodeKind::kUnary:
    case NodeKind::kGetattr:
    case NodeKind::kPrint: see(made.a); break;
    case NodeKind::kBinary:
    case NodeKind::kGetitem: see(made.a), see(made.b); break;
    case NodeKind::kCond: see(made.a), see(made.b), see(made.c); break;
    case NodeKind::kCall:
    case NodeKind::kFilter:
    case NodeKind::kTest: {
      see(made.a);
      const CallData& call = program_.calls[made.b];
      for (NodeId arg : call.args) see(arg);
      for (const auto& [name, arg] : call.named) see(arg);
      see(call.star), see(call.star_star);
      break;
    }
    default: break;
  }
  return depth;
}

Result<NodeId> Parser::add(Node made) {
  made.depth = std::max<uint16_t>(made.depth, static_cast<uint16_t>(depth_of(made) + 1));
  if (made.depth > kNestingMax + 50) {
    return error_at(made.pos, "the template nests too deeply here");
  }
  program_.nodes.push_back(made);
  return static_cast<NodeId>(program_.nodes.size() - 1);
}

Result<NodeId> Parser::add_list(NodeKind kind, uint32_t pos, const std::vector<uint32_t>& items,
                                uint32_t a, uint32_t d) {
  Node made{kind, Op::kAdd, 1, pos, a, static_cast<uint32_t>(program_.lists.size()),
            static_cast<uint32_t>(items.size()), d};
  bool ops = kind == NodeKind::kCompare;
  if (a != kNoNode) made.depth = static_cast<uint16_t>(node(a).depth + 1);
  for (size_t i = ops ? 1 : 0; i < items.size(); i += ops ? 2 : 1) {
    if (items[i] == kNoNode) continue;
    made.depth = std::max<uint16_t>(made.depth, static_cast<uint16_t>(node(items[i]).depth + 1));
  }
  program_.lists.insert(program_.lists.end(), items.begin(), items.end());
  return add(made);
}

uint32_t Parser::constant(Value value) {
  program_.constants.push_back(std::move(value));
  return static_cast<uint32_t>(program_.constants.size() - 1);
}

uint32_t Parser::text_constant(std::string text) {
  auto object = std::make_unique<Str>(nullptr, Rendered{std::move(text), {}});
  object->length();  // counted now: threads share it
  program_.objects.push_back(std::move(object));  // owned before anything refers to it
  return constant(Value(program_.objects.back().get()));
}

Value Parser::integer_constant(Integer number) {
  if (auto small = number.small()) return Value::integer(*small);
  program_.objects.push_back(std::make_unique<Big>(nullptr, std::move(number)));
  return Value(program_.objects.back().get());
}

uint32_t Parser::symbol(std::string_view name) {
  auto [place, fresh] =
      symbol_ids_.try_emplace(std::string(name), static_cast<uint32_t>(program_.symbols.size()));
  if (fresh) {
    uint32_t text = text_constant(std::string(name));
    program_.symbols.push_back(
        {program_.constants[text], find_methods(name), find_global(name)});
  }
  return place->second;
}

uint32_t Parser::builtin(const Builtin* row) {
  program_.builtins.push_back(row);
  return static_cast<uint32_t>(program_.builtins.size() - 1);
}

void Parser::soften(size_t from) {
  for (size_t i = from; i < unknown_.size(); ++i) unknown_[i].soft |= !unknown_[i].hard;
}

void Parser::harden(size_t from) {
  for (size_t i = from; i < unknown_.size(); ++i) unknown_[i].hard |= !unknown_[i].soft;
}

void Parser::note_load(uint32_t loaded) {
  for (Reads& reads : reads_) {
    for (int i = 0; i < 3; ++i) reads.read[i] |= reads.symbols[i] == loaded && !reads.stored[i];
  }
}

void Parser::note_store(uint32_t stored) {
  for (Reads& reads : reads_) {
    for (int i = 0; i < 3; ++i) reads.stored[i] |= reads.symbols[i] == stored;
  }
}

}  // namespace hearth::jinja
