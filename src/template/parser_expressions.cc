// Expressions.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "template/parser.h"

namespace hearth::jinja {

// Counts one level of recursion for as long as it lives.
struct Nesting {
  explicit Nesting(int& level) : level(level) { ++level; }
  ~Nesting() { --level; }
  int& level;
};

#define ENTER_LEVEL()                                                             \
  Nesting nesting_guard(nesting_);                                                \
  if (nesting_ > kNestingMax) return error("the template nests too deeply here")

namespace {

struct Level {
  std::string_view text;
  Op op;
  int level;  // see Parser::binary
  bool name;
};

constexpr Level kBinary[] = {
    {"or", Op::kOr, 0, true},     {"and", Op::kAnd, 1, true},  {"+", Op::kAdd, 3, false},
    {"-", Op::kSub, 3, false},    {"*", Op::kMul, 5, false},   {"/", Op::kDiv, 5, false},
    {"//", Op::kFloorDiv, 5, false}, {"%", Op::kMod, 5, false}, {"**", Op::kPow, 6, false},
};

constexpr std::pair<std::string_view, Op> kCompare[] = {
    {"==", Op::kEq}, {"!=", Op::kNe}, {"<", Op::kLt},
    {"<=", Op::kLe}, {">", Op::kGt},  {">=", Op::kGe},
};

std::string without_underscores(std::string_view text) {
  std::string out(text);
  std::erase(out, '_');
  return out;
}

}  // namespace

Result<NodeId> Parser::expression(bool with_condition) {
  ENTER_LEVEL();
  return with_condition ? conditional() : binary(0);
}

Result<NodeId> Parser::conditional() {
  size_t unknown = unknown_.size();
  uint32_t pos = now().pos;
  NodeId value = TRY(binary(0));
  while (skip_name("if")) {
    NodeId test = TRY(binary(0));
    NodeId otherwise = kNoNode;
    if (skip_name("else")) otherwise = TRY(expression());
    soften(unknown);
    value = TRY(add({NodeKind::kCond, Op::kAdd, 1, pos, value, test, otherwise}));
  }
  return value;
}

// Operators that bind to the left: or 0, and 1, (comparisons 2), + - 3, (~ 4), * / // % 5, ** 6.
Result<NodeId> Parser::binary(int level) {
  auto next = [&]() -> Result<NodeId> {
    if (level == 0) return binary(1);
    if (level == 1) return negation();
    if (level == 3) return concat();
    return level == 5 ? binary(6) : unary();
  };
  NodeId left = TRY(next());
  for (;;) {
    auto row = std::ranges::find_if(kBinary, [&](const Level& known) {
      return known.level == level &&
             (known.name ? now().is_name(known.text) : now().is_op(known.text));
    });
    if (row == std::end(kBinary)) return left;
    uint32_t pos = now().pos;
    ++at_;
    NodeId right = TRY(next());
    left = TRY(add({NodeKind::kBinary, row->op, 1, pos, left, right}));
  }
}

Result<NodeId> Parser::negation() {
  if (!now().is_name("not")) return comparison();
  ENTER_LEVEL();
  uint32_t pos = now().pos;
  ++at_;
  NodeId operand = TRY(negation());
  return add({NodeKind::kUnary, Op::kNot, 1, pos, operand});
}

Result<NodeId> Parser::comparison() {
  uint32_t pos = now().pos;
  NodeId first = TRY(binary(3));
  std::vector<uint32_t> rest;
  for (;;) {
    auto row =
        std::ranges::find_if(kCompare, [&](auto& known) { return now().is_op(known.first); });
    Op op;
    if (row != std::end(kCompare)) {
      op = row->second;
      ++at_;
    } else if (skip_name("in")) {
      op = Op::kIn;
    } else if (now().is_name("not") && ahead().is_name("in")) {
      op = Op::kNotIn;
      at_ += 2;
    } else {
      break;
    }
    rest.push_back(static_cast<uint32_t>(op));
    rest.push_back(TRY(binary(3)));
  }
  if (rest.empty()) return first;
  return add_list(NodeKind::kCompare, pos, rest, first);
}

Result<NodeId> Parser::concat() {
  uint32_t pos = now().pos;
  std::vector<uint32_t> parts = {TRY(binary(5))};
  while (skip_op("~")) parts.push_back(TRY(binary(5)));
  if (parts.size() == 1) return parts[0];
  return add_list(NodeKind::kConcat, pos, parts);
}

Result<NodeId> Parser::unary(bool filters) {
  ENTER_LEVEL();
  uint32_t pos = now().pos;
  NodeId made;
  if (now().is_op("-") || now().is_op("+")) {
    Op op = now().is_op("-") ? Op::kNeg : Op::kPos;
    ++at_;
    NodeId operand = TRY(unary(false));
    made = TRY(add({NodeKind::kUnary, op, 1, pos, operand}));
  } else {
    made = TRY(primary());
  }
  made = TRY(postfix(made));
  return filters ? filters_and_tests(made) : made;
}

Result<NodeId> Parser::primary() {
  uint32_t pos = now().pos;
  switch (now().kind) {
    case TokenKind::kName: return name_expression();
    case TokenKind::kInteger:
    case TokenKind::kFloat: return number();
    case TokenKind::kString: {
      std::string text;
      for (; now().kind == TokenKind::kString; ++at_) {
        auto part = unescape(now().text);
        if (!part) return error(part.error().message);
        text += *part;
      }
      return add({NodeKind::kConst, Op::kAdd, 1, pos, text_constant(std::move(text))});
    }
    case TokenKind::kOperator:
      if (now().text == "[") return list_literal();
      if (now().text == "{") return dict_literal();
      if (skip_op("(")) {
        NodeId inner = TRY(tuple(true, true));
        TRY(expect_op(")"));
        return inner;
      }
      [[fallthrough]];
    default: return error("unexpected " + described());
  }
}

Result<NodeId> Parser::name_expression() {
  uint32_t pos = now().pos;
  std::string_view name = now().text;
  ++at_;
  auto literal = [&](Value value) {
    return add({NodeKind::kConst, Op::kAdd, 1, pos, constant(std::move(value))});
  };
  if (name == "true" || name == "True") return literal(Value::boolean(true));
  if (name == "false" || name == "False") return literal(Value::boolean(false));
  if (name == "none" || name == "None") return literal(Value::none());
  uint32_t id = symbol(name);
  note_load(id);
  return add({NodeKind::kName, Op::kAdd, 1, pos, id});
}

Result<NodeId> Parser::number() {
  uint32_t pos = now().pos;
  std::string text = without_underscores(now().text);
  const char* end = text.data() + text.size();
  Value value;
  if (now().kind == TokenKind::kFloat) {
    double real = 0;
    auto read = std::from_chars(text.data(), end, real);
    if (read.ec == std::errc::result_out_of_range) {
      real = text.find("e-") == std::string::npos ? HUGE_VAL : 0.0;
    }
    value = Value::real(real);
  } else {
    char mark = text.size() > 2 ? static_cast<char>(text[1] | 0x20) : '0';
    int base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
    auto whole = Integer::parse(std::string_view(text).substr(base == 10 ? 0 : 2), base);
    if (!whole) return error("this number is too large");
    value = integer_constant(std::move(*whole));
  }
  ++at_;
  return add({NodeKind::kConst, Op::kAdd, 1, pos, constant(std::move(value))});
}

// One expression, or several with commas between them as a tuple.
Result<NodeId> Parser::tuple(bool with_condition, bool parentheses, std::string_view end) {
  uint32_t pos = now().pos;
  std::vector<uint32_t> items;
  bool comma = false;
  for (;;) {
    if (!items.empty()) TRY(expect_op(","));
    if (at_tuple_end(end)) break;
    items.push_back(TRY(expression(with_condition)));
    if (!now().is_op(",")) break;
    comma = true;
  }
  if (!comma && !items.empty()) return items[0];
  if (!comma && !parentheses) return error("expected an expression, got " + described());
  return add_list(NodeKind::kTuple, pos, items);
}

Result<NodeId> Parser::list_literal() {
  uint32_t pos = now().pos;
  ++at_;
  std::vector<uint32_t> items;
  while (!now().is_op("]")) {
    if (!items.empty()) TRY(expect_op(","));
    if (now().is_op("]")) break;
    items.push_back(TRY(expression()));
  }
  TRY(expect_op("]"));
  return add_list(NodeKind::kList, pos, items);
}

Result<NodeId> Parser::dict_literal() {
  uint32_t pos = now().pos;
  ++at_;
  std::vector<uint32_t> items;
  while (!now().is_op("}")) {
    if (!items.empty()) TRY(expect_op(","));
    if (now().is_op("}")) break;
    items.push_back(TRY(expression()));
    TRY(expect_op(":"));
    items.push_back(TRY(expression()));
  }
  TRY(expect_op("}"));
  return add_list(NodeKind::kDict, pos, items);
}

Result<NodeId> Parser::postfix(NodeId made) {
  for (;;) {
    if (now().is_op(".") || now().is_op("[")) {
      made = TRY(subscript(made));
    } else if (now().is_op("(")) {
      made = TRY(call(made));
    } else {
      return made;
    }
  }
}

Result<NodeId> Parser::filters_and_tests(NodeId made) {
  for (;;) {
    if (now().is_op("|")) {
      made = TRY(filter_chain(made, false));
    } else if (now().is_name("is")) {
      made = TRY(test(made));
    } else if (now().is_op("(")) {
      made = TRY(call(made));
    } else {
      return made;
    }
  }
}

Result<NodeId> Parser::subscript(NodeId subject) {
  uint32_t pos = now().pos;
  if (skip_op(".")) {
    if (now().kind == TokenKind::kName) {
      uint32_t name = symbol(now().text);
      ++at_;
      return add({NodeKind::kGetattr, Op::kAdd, 1, pos, subject, name});
    }
    if (now().kind != TokenKind::kInteger) return error("expected a name or a number");
    NodeId index = TRY(number());
    return add({NodeKind::kGetitem, Op::kAdd, 1, pos, subject, index});
  }
  TRY(expect_op("["));
  NodeId part = TRY(subscript_part(subject));
  if (now().is_op(",")) {
    std::vector<uint32_t> parts = {part};
    while (skip_op(",")) {
      if (now().is_op("]")) return error("expected an expression, got ']'");
      parts.push_back(TRY(subscript_part(subject)));
    }
    for (NodeId each : parts) {
      if (node(each).kind == NodeKind::kSlice && node(each).a == subject) {
        return error_at(pos, "a slice cannot be part of a tuple");
      }
    }
    part = TRY(add_list(NodeKind::kTuple, pos, parts));
  } else if (node(part).kind == NodeKind::kSlice && node(part).a == subject) {
    TRY(expect_op("]"));
    return part;
  }
  TRY(expect_op("]"));
  return add({NodeKind::kGetitem, Op::kAdd, 1, pos, subject, part});
}

// An expression, or a whole kSlice node of `subject`.
Result<NodeId> Parser::subscript_part(NodeId subject) {
  uint32_t pos = now().pos;
  std::vector<uint32_t> parts(3, kNoNode);
  if (!now().is_op(":")) {
    parts[0] = TRY(expression());
    if (!now().is_op(":")) return parts[0];
  }
  for (int i = 1; i < 3 && skip_op(":"); ++i) {
    if (now().is_op(":") || now().is_op("]") || now().is_op(",")) continue;
    parts[static_cast<size_t>(i)] = TRY(expression());
  }
  return add_list(NodeKind::kSlice, pos, parts, subject);
}

Result<NodeId> Parser::call(NodeId callee) {
  uint32_t pos = now().pos;
  uint32_t arguments = TRY(call_arguments());
  return add({NodeKind::kCall, Op::kAdd, 1, pos, callee, arguments});
}

Result<uint32_t> Parser::call_arguments() {
  CallData data;
  TRY(expect_op("("));
  bool first = true;
  while (!now().is_op(")")) {
    if (!first) {
      TRY(expect_op(","));
      if (now().is_op(")")) break;
    }
    first = false;
    TRY(call_argument(data));
  }
  TRY(expect_op(")"));
  program_.calls.push_back(std::move(data));
  return static_cast<uint32_t>(program_.calls.size() - 1);
}

Result<void> Parser::call_argument(CallData& data) {
  bool late = data.star_star != kNoNode;
  auto wrong = [&] { return error("this argument cannot stand here"); };
  if (skip_op("*")) {
    if (late || data.star != kNoNode) return wrong();
    data.star = TRY(expression());
  } else if (skip_op("**")) {
    if (late) return wrong();
    data.star_star = TRY(expression());
  } else if (now().kind == TokenKind::kName && ahead().is_op("=")) {
    if (late) return wrong();
    for (const auto& [name, value] : data.named) {
      if (program_.constants[name].text() == now().text) {
        return error(fmt::format("the argument '{}' is given twice", now().text));
      }
    }
    uint32_t name = text_constant(std::string(now().text));
    at_ += 2;
    data.named.emplace_back(name, TRY(expression()));
  } else {
    if (late || data.star != kNoNode || !data.named.empty()) return wrong();
    data.args.push_back(TRY(expression()));
  }
  return {};
}

Result<std::string_view> Parser::dotted_name() {
  size_t first = at_;
  TRY(expect(TokenKind::kName, "a name"));
  while (skip_op(".")) TRY(expect(TokenKind::kName, "a name"));
  const Token& last = tokens_[at_ - 1];
  return std::string_view(program_.source)
      .substr(tokens_[first].pos, last.pos + last.text.size() - tokens_[first].pos);
}

// "|name(...)|name", or from the first name where the filter statement starts.
Result<NodeId> Parser::filter_chain(NodeId made, bool starts_inside) {
  while (starts_inside || skip_op("|")) {
    starts_inside = false;
    uint32_t pos = now().pos;
    std::string name(TRY(dotted_name()));
    uint32_t arguments = static_cast<uint32_t>(program_.calls.size());
    if (now().is_op("(")) {
      arguments = TRY(call_arguments());
    } else {
      program_.calls.emplace_back();
    }
    const Builtin* row = find_filter(name);
    if (!row) unknown_.push_back({pos, fmt::format("there is no filter named '{}'", name)});
    made = TRY(add({NodeKind::kFilter, Op::kAdd, 1, pos, made, arguments, builtin(row),
                    text_constant(std::move(name))}));
  }
  return made;
}

Result<NodeId> Parser::test(NodeId subject) {
  uint32_t pos = now().pos;
  ++at_;
  bool negated = skip_name("not");
  std::string name(TRY(dotted_name()));
  uint32_t arguments = static_cast<uint32_t>(program_.calls.size());
  bool operand = now().kind == TokenKind::kName || now().kind == TokenKind::kString ||
                 now().kind == TokenKind::kInteger || now().kind == TokenKind::kFloat ||
                 now().is_op("[") || now().is_op("{");
  if (now().is_op("(")) {
    arguments = TRY(call_arguments());
  } else if (operand && !now().is_name("else") && !now().is_name("or") && !now().is_name("and")) {
    if (now().is_name("is")) return error("tests cannot be chained with 'is'");
    NodeId arg = TRY(primary());
    arg = TRY(postfix(arg));
    arguments = static_cast<uint32_t>(program_.calls.size());
    program_.calls.emplace_back().args.push_back(arg);
  } else {
    program_.calls.emplace_back();
  }
  const Builtin* row = find_test(name);
  if (!row) unknown_.push_back({pos, fmt::format("there is no test named '{}'", name)});
  NodeId made = TRY(add({NodeKind::kTest, Op::kAdd, 1, pos, subject, arguments, builtin(row),
                         text_constant(std::move(name))}));
  if (!negated) return made;
  return add({NodeKind::kUnary, Op::kNot, 1, pos, made});
}

}  // namespace hearth::jinja
