#include "template/go/parser.h"

#include <algorithm>

#include "template/go/parser_error.h"

namespace hearth::gotmpl {
namespace {

// Whether a body has nothing but space: such a definition gives way to another of its name.
bool is_empty(const Node& list) {
  for (const NodePtr& node : list.children) {
    if (node->kind != NodeKind::kText) return false;
    if (node->text.find_first_not_of(" \t\n\v\f\r") != std::string::npos) return false;
  }
  return true;
}

}  // namespace

NodePtr copy(const Node& node) {
  auto out = std::make_unique<Node>();
  out->kind = node.kind;
  out->assigns = node.assigns;
  out->pos = node.pos;
  out->function = node.function;
  out->integer = node.integer;
  out->number = node.number;
  out->text = node.text;
  out->constant = node.constant;
  out->names = node.names;
  for (const NodePtr& child : node.children) out->children.push_back(copy(*child));
  if (node.pipe) out->pipe = copy(*node.pipe);
  if (node.list) out->list = copy(*node.list);
  if (node.else_list) out->else_list = copy(*node.else_list);
  return out;
}

Result<Program> parse_program(std::string_view source) {
  if (source.size() > kSourceBytesMax)
    return fail(Code::kTooLarge, "a template of {} bytes: at most {} are read", source.size(),
                kSourceBytesMax);
  Program program{std::string(source), {}};
  program.trees = TRY(Parser(program.source).parse());
  return program;
}

const Token& Parser::next() {
  if (peeked_ > 0) --peeked_;
  else tokens_[0] = lexer_.next();
  return tokens_[peeked_];
}

const Token& Parser::peek() {
  if (peeked_ > 0) return tokens_[peeked_ - 1];
  peeked_ = 1;
  return tokens_[0] = lexer_.next();
}

const Token& Parser::next_non_space() {
  while (true) {
    const Token& token = next();
    if (token.kind != Tok::kSpace) return token;
  }
}

const Token& Parser::peek_non_space() {
  const Token& token = next_non_space();
  backup();
  return token;
}

// Tokens given back in reverse: the last one read is still at its place.
void Parser::backup2(Token second) {
  tokens_[1] = second;
  peeked_ = 2;
}

void Parser::backup3(Token third, Token second) {
  tokens_[1] = second;
  tokens_[2] = third;
  peeked_ = 3;
}

std::unexpected<Error> Parser::unexpected(const Token& token, std::string_view context) {
  if (token.kind == Tok::kError) return error(token.pos, "{}", token.text);
  if (token.kind == Tok::kEof) return error(token.pos, "unexpected end of the template");
  return error(token.pos, "unexpected \"{}\" in {}", token.text.substr(0, 40), context);
}

Result<Token> Parser::expect(Tok kind, std::string_view context) {
  Token token = next_non_space();
  if (token.kind != kind) return unexpected(token, context);
  return token;
}

Result<NodePtr> Parser::make(NodeKind kind, size_t pos) {
  if (++nodes_ > kNodesMax)
    return fail(Code::kTooLarge, "{}: the template has more than {} parts", place(source_, pos),
                kNodesMax);
  auto node = std::make_unique<Node>();
  node->kind = kind;
  node->pos = static_cast<uint32_t>(pos);
  return node;
}

Result<void> Parser::enter(size_t pos) {
  if (++nesting_ > kNestingMax) return error(pos, "nested more than {} deep", kNestingMax);
  return {};
}

Result<std::string> Parser::string_value(const Token& token) {
  auto text = unquote_token(token);
  if (!text) return error(token.pos, "invalid syntax in a string");
  return *std::move(text);
}

Result<Trees> Parser::parse() {
  NodePtr main = TRY(root());
  TRY(add("", std::move(main)));
  return std::move(trees_);
}

Result<NodePtr> Parser::root() {
  NodePtr list = TRY(make(NodeKind::kList, peek().pos));
  while (peek().kind != Tok::kEof) {
    if (peek().kind == Tok::kLeftDelim) {
      Token delim = next();
      if (next_non_space().kind == Tok::kDefine) {
        TRY(definition());
        continue;
      }
      backup2(delim);
    }
    size_t pos = peek().pos;
    Item item = TRY(text_or_action());
    if (item.end != End::kNone)
      return error(pos, "unexpected {{{{{}}}}}", item.end == End::kEnd ? "end" : "else");
    list->children.push_back(std::move(item.node));
  }
  return list;
}

Result<void> Parser::definition() {
  Token token = next_non_space();
  if (token.kind != Tok::kString && token.kind != Tok::kRawString)
    return unexpected(token, "define clause");
  std::string name = TRY(string_value(token));
  TRY(expect(Tok::kRightDelim, "define clause"));
  std::vector<std::string> outside = std::exchange(variables_, {"$"});
  Body body = TRY(item_list());
  variables_ = std::move(outside);
  if (body.end != End::kEnd) return error(token.pos, "unexpected {{{{else}}}} in define clause");
  return add(std::move(name), std::move(body.list));
}

Result<void> Parser::add(std::string name, NodePtr list) {
  NodePtr& tree = trees_[name];
  if (!tree || is_empty(*tree)) tree = std::move(list);
  else if (!is_empty(*list))
    return error(list->pos, "multiple definition of template \"{}\"", name);
  return {};
}

Result<Parser::Body> Parser::item_list() {
  Body body;
  body.list = TRY(make(NodeKind::kList, peek_non_space().pos));
  while (peek_non_space().kind != Tok::kEof) {
    Item item = TRY(text_or_action());
    if (item.end != End::kNone) {
      body.end = item.end;
      return body;
    }
    body.list->children.push_back(std::move(item.node));
  }
  return error(peek().pos, "unexpected end of the template: an {{{{end}}}} is missing");
}

Result<Parser::Item> Parser::text_or_action() {
  Token token = next_non_space();
  if (token.kind == Tok::kLeftDelim) return action();
  if (token.kind != Tok::kText) return unexpected(token, "input");
  NodePtr node = TRY(make(NodeKind::kText, token.pos));
  node->text = token.text;
  return Item{std::move(node)};
}

Result<Parser::Item> Parser::action() {
  Token token = next_non_space();
  switch (token.kind) {
    case Tok::kBlock: return Item{TRY(block())};
    case Tok::kBreak: return loop_word(NodeKind::kBreak, "{{break}}");
    case Tok::kContinue: return loop_word(NodeKind::kContinue, "{{continue}}");
    case Tok::kElse: return else_word();
    case Tok::kEnd: return end_word();
    case Tok::kIf: return Item{TRY(control(NodeKind::kIf))};
    case Tok::kRange: return Item{TRY(control(NodeKind::kRange))};
    case Tok::kTemplate: return Item{TRY(template_call())};
    case Tok::kWith: return Item{TRY(control(NodeKind::kWith))};
    default: break;
  }
  backup();
  NodePtr node = TRY(make(NodeKind::kAction, token.pos));
  node->pipe = TRY(pipeline("command", Tok::kRightDelim));
  return Item{std::move(node)};
}

Result<Parser::Item> Parser::loop_word(NodeKind kind, std::string_view word) {
  Token token = TRY(expect(Tok::kRightDelim, word));
  if (loops_ == 0) return error(token.pos, "{} outside {{{{range}}}}", word);
  return Item{TRY(make(kind, token.pos))};
}

Result<Parser::Item> Parser::end_word() {
  TRY(expect(Tok::kRightDelim, "end"));
  return Item{nullptr, End::kEnd};
}

// The "if" or "with" of "else if" and "else with" stays for control().
Result<Parser::Item> Parser::else_word() {
  Tok follows = peek_non_space().kind;
  if (follows != Tok::kIf && follows != Tok::kWith) TRY(expect(Tok::kRightDelim, "else"));
  return Item{nullptr, End::kElse};
}

Result<NodePtr> Parser::control(NodeKind kind) {
  std::string_view context = kind == NodeKind::kIf ? "if" : kind == NodeKind::kWith ? "with"
                                                                                    : "range";
  NodePtr node = TRY(make(kind, peek().pos));
  TRY(enter(node->pos));
  size_t outside = variables_.size();
  node->pipe = TRY(pipeline(context, Tok::kRightDelim));
  bool is_loop = kind == NodeKind::kRange;
  loops_ += is_loop;
  Body body = TRY(item_list());
  loops_ -= is_loop;
  node->list = std::move(body.list);
  if (body.end == End::kElse) TRY(else_part(*node));
  variables_.resize(outside);
  --nesting_;
  return node;
}

// "else if" and "else with" are an if or with in the else whose {{end}} serves both.
Result<void> Parser::else_part(Node& node) {
  Tok same = node.kind == NodeKind::kIf ? Tok::kIf
             : node.kind == NodeKind::kWith ? Tok::kWith : Tok::kError;
  if (peek().kind == same && same != Tok::kError) {
    Token word = next();
    node.else_list = TRY(make(NodeKind::kList, word.pos));
    node.else_list->children.push_back(TRY(control(node.kind)));
    return {};
  }
  Body body = TRY(item_list());
  if (body.end != End::kEnd) return error(peek().pos, "expected {{{{end}}}}; found {{{{else}}}}");
  node.else_list = std::move(body.list);
  return {};
}

Result<NodePtr> Parser::block() {
  Token token = next_non_space();
  if (token.kind != Tok::kString && token.kind != Tok::kRawString)
    return unexpected(token, "block clause");
  NodePtr node = TRY(make(NodeKind::kTemplate, token.pos));
  node->text = TRY(string_value(token));
  node->pipe = TRY(pipeline("block clause", Tok::kRightDelim));
  TRY(enter(token.pos));
  std::vector<std::string> outside = std::exchange(variables_, {"$"});
  int loops = std::exchange(loops_, 0);
  Body body = TRY(item_list());
  variables_ = std::move(outside);
  loops_ = loops;
  --nesting_;
  if (body.end != End::kEnd) return error(token.pos, "unexpected {{{{else}}}} in block clause");
  TRY(add(node->text, std::move(body.list)));
  return node;
}

Result<NodePtr> Parser::template_call() {
  Token token = next_non_space();
  if (token.kind != Tok::kString && token.kind != Tok::kRawString)
    return unexpected(token, "template clause");
  NodePtr node = TRY(make(NodeKind::kTemplate, token.pos));
  node->text = TRY(string_value(token));
  if (next_non_space().kind == Tok::kRightDelim) return node;
  backup();
  node->pipe = TRY(pipeline("template clause", Tok::kRightDelim));
  return node;
}

}  // namespace hearth::gotmpl
