// The parser's second half: what stands between {{ and }}.
#include <algorithm>

#include "template/go/functions.h"
#include "template/go/parser_error.h"

namespace hearth::gotmpl {
namespace {

// "$x.A.B" or ".A.B" as "$x", "A", "B".
void append_names(std::string_view text, std::vector<std::string>& names) {
  while (!text.empty()) {
    size_t dot = text.find('.', 1);
    std::string_view name = text.substr(0, dot);
    names.emplace_back(name.starts_with('.') ? name.substr(1) : name);
    text = dot == std::string_view::npos ? std::string_view() : text.substr(dot);
  }
}

}  // namespace

Result<NodePtr> Parser::pipeline(std::string_view context, Tok end) {
  NodePtr pipe = TRY(make(NodeKind::kPipe, peek_non_space().pos));
  TRY(declarations(*pipe, context));
  while (true) {
    Token token = next_non_space();
    if (token.kind == end) break;
    switch (token.kind) {
      case Tok::kBool: case Tok::kCharConstant: case Tok::kComplex: case Tok::kDot:
      case Tok::kField: case Tok::kIdentifier: case Tok::kNumber: case Tok::kNil:
      case Tok::kRawString: case Tok::kString: case Tok::kVariable: case Tok::kLeftParen:
        backup();
        pipe->children.push_back(TRY(command()));
        break;
      default: return unexpected(token, context);
    }
  }
  TRY(check_pipeline(*pipe, context));
  return pipe;
}

// "$x :=", "$x =" and in a range "$i, $x :=". A space is a token, so that "$x foo" is known to be
// no declaration only after three tokens.
Result<void> Parser::declarations(Node& pipe, std::string_view context) {
  while (peek_non_space().kind == Tok::kVariable) {
    Token variable = next();
    Token after = peek();
    Token follows = peek_non_space();
    if (follows.kind == Tok::kAssign || follows.kind == Tok::kDeclare) {
      pipe.assigns = follows.kind == Tok::kAssign;
      next_non_space();
      pipe.names.emplace_back(variable.text);
      variables_.emplace_back(variable.text);
      return {};
    }
    if (follows.kind != Tok::kChar || follows.text != ",") {
      if (after.kind == Tok::kSpace) backup3(variable, after);
      else backup2(variable);
      return {};
    }
    next_non_space();
    pipe.names.emplace_back(variable.text);
    variables_.emplace_back(variable.text);
    if (context != "range" || pipe.names.size() >= 2)
      return error(variable.pos, "too many declarations in {}", context);
    Tok second = peek_non_space().kind;
    if (second != Tok::kVariable && second != Tok::kRightDelim && second != Tok::kRightParen)
      return error(peek().pos, "range can only initialize variables");
  }
  return {};
}

Result<void> Parser::check_pipeline(const Node& pipe, std::string_view context) {
  if (pipe.children.empty()) return error(pipe.pos, "missing value for {}", context);
  for (size_t i = 1; i < pipe.children.size(); ++i) {
    const Node& first = *pipe.children[i]->children[0];
    switch (first.kind) {
      case NodeKind::kBool: case NodeKind::kDot: case NodeKind::kNil: case NodeKind::kInteger:
      case NodeKind::kFloat: case NodeKind::kOverflow: case NodeKind::kString:
        return error(first.pos, "non executable command in pipeline stage {}", i + 1);
      default: break;
    }
  }
  return {};
}

Result<NodePtr> Parser::command() {
  NodePtr node = TRY(make(NodeKind::kCommand, peek_non_space().pos));
  while (true) {
    peek_non_space();
    NodePtr one = TRY(operand());
    if (one) node->children.push_back(std::move(one));
    Token token = next();
    if (token.kind == Tok::kSpace) continue;
    if (token.kind == Tok::kRightDelim || token.kind == Tok::kRightParen) backup();
    else if (token.kind != Tok::kPipe) return unexpected(token, "operand");
    break;
  }
  if (node->children.empty()) return error(node->pos, "empty command");
  return node;
}

// A term with the fields after it; null where no term stands here.
Result<NodePtr> Parser::operand() {
  NodePtr node = TRY(term());
  if (!node || peek().kind != Tok::kField) return node;
  size_t pos = peek().pos;
  std::vector<std::string> names;
  while (peek().kind == Tok::kField) append_names(next().text, names);
  switch (node->kind) {
    case NodeKind::kBool: case NodeKind::kString: case NodeKind::kInteger: case NodeKind::kFloat:
    case NodeKind::kOverflow: case NodeKind::kNil: case NodeKind::kDot:
      return error(pos, "unexpected . after a term");
    case NodeKind::kField: case NodeKind::kVariable:
      node->names.insert(node->names.end(), names.begin(), names.end());
      return node;
    default: break;
  }
  NodePtr chain = TRY(make(NodeKind::kChain, pos));
  chain->names = std::move(names);
  chain->children.push_back(std::move(node));
  return chain;
}

Result<NodePtr> Parser::term() {
  Token token = next_non_space();
  switch (token.kind) {
    case Tok::kIdentifier: {
      NodePtr node = TRY(make(NodeKind::kIdentifier, token.pos));
      node->function = find_function(token.text);
      if (!node->function) return error(token.pos, "function \"{}\" not defined", token.text);
      return node;
    }
    case Tok::kDot: return make(NodeKind::kDot, token.pos);
    case Tok::kNil: return make(NodeKind::kNil, token.pos);
    case Tok::kVariable: return variable(token);
    case Tok::kField: {
      NodePtr node = TRY(make(NodeKind::kField, token.pos));
      append_names(token.text, node->names);
      return node;
    }
    case Tok::kBool: {
      NodePtr node = TRY(make(NodeKind::kBool, token.pos));
      node->integer = token.text == "true";
      return node;
    }
    case Tok::kCharConstant: case Tok::kComplex: case Tok::kNumber: return number(token);
    case Tok::kLeftParen: {
      TRY(enter(token.pos));
      NodePtr node = TRY(pipeline("parenthesized pipeline", Tok::kRightParen));
      --nesting_;
      return node;
    }
    case Tok::kString: case Tok::kRawString: {
      NodePtr node = TRY(make(NodeKind::kString, token.pos));
      node->constant = std::make_shared<const Rendered>(Rendered{TRY(string_value(token)), {}});
      return node;
    }
    default: break;
  }
  backup();
  return nullptr;
}

Result<NodePtr> Parser::number(const Token& token) {
  NodePtr node = TRY(make(NodeKind::kInteger, token.pos));
  if (token.kind == Tok::kCharConstant) {
    auto code = unquote_char(token.text);
    if (!code) return error(token.pos, "malformed character constant: {}", token.text);
    node->integer = *code;
    return node;
  }
  auto value = parse_number(token.text);
  if (token.kind == Tok::kComplex || (value && value->kind == Number::Kind::kImaginary))
    return error(token.pos, "the imaginary number {} is not supported", token.text);
  if (!value) return error(token.pos, "illegal number syntax: {}", token.text);
  node->integer = value->integer;
  node->number = value->number;
  if (value->kind == Number::Kind::kFloat) node->kind = NodeKind::kFloat;
  if (value->kind == Number::Kind::kOverflow) {
    node->kind = NodeKind::kOverflow;
    node->text = token.text;
  }
  return node;
}

Result<NodePtr> Parser::variable(const Token& token) {
  if (std::find(variables_.begin(), variables_.end(), token.text) == variables_.end())
    return error(token.pos, "undefined variable \"{}\"", token.text);
  NodePtr node = TRY(make(NodeKind::kVariable, token.pos));
  node->names.emplace_back(token.text);
  return node;
}

}  // namespace hearth::gotmpl
