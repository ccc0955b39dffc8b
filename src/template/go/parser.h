// Parser: the tokens of a Go template become a Program. Takes and refuses what Go's text/template
// does, with two differences: imaginary numbers are refused, and control structures and
// parentheses nest at most kNestingMax deep together. Errors: kCorrupt with line and column,
// kTooLarge for a source over kSourceBytesMax or a tree over kNodesMax.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "template/go/ast.h"
#include "template/go/lexer.h"

namespace hearth::gotmpl {

inline constexpr int kNestingMax = 400;
inline constexpr size_t kSourceBytesMax = 4u << 20;
inline constexpr size_t kNodesMax = 200'000;

class Parser {
 public:
  explicit Parser(std::string_view source) : lexer_(source), source_(source) {}
  Result<Trees> parse();

 private:
  // What a stretch of template ended with, where it was no node.
  enum class End : uint8_t { kNone, kEnd, kElse };
  struct Item {
    NodePtr node;
    End end = End::kNone;
  };
  struct Body {
    NodePtr list;
    End end = End::kNone;
  };

  const Token& next();
  const Token& peek();
  const Token& next_non_space();
  const Token& peek_non_space();
  void backup() { ++peeked_; }
  void backup2(Token second);
  void backup3(Token third, Token second);

  Result<NodePtr> root();
  Result<void> definition();
  Result<Body> item_list();
  Result<Item> text_or_action();
  Result<Item> action();
  Result<Item> loop_word(NodeKind kind, std::string_view word);
  Result<Item> end_word();
  Result<Item> else_word();
  Result<NodePtr> control(NodeKind kind);
  Result<void> else_part(Node& node);
  Result<NodePtr> block();
  Result<NodePtr> template_call();
  Result<void> add(std::string name, NodePtr list);

  Result<NodePtr> pipeline(std::string_view context, Tok end);
  Result<void> declarations(Node& pipe, std::string_view context);
  Result<void> check_pipeline(const Node& pipe, std::string_view context);
  Result<NodePtr> command();
  Result<NodePtr> operand();
  Result<NodePtr> term();
  Result<NodePtr> number(const Token& token);
  Result<NodePtr> variable(const Token& token);
  Result<std::string> string_value(const Token& token);

  Result<Token> expect(Tok kind, std::string_view context);
  Result<NodePtr> make(NodeKind kind, size_t pos);
  Result<void> enter(size_t pos);
  template <class... Args>
  std::unexpected<Error> error(size_t pos, fmt::format_string<Args...> format, Args&&... args);
  std::unexpected<Error> unexpected(const Token& token, std::string_view context);

  Lexer lexer_;
  std::string_view source_;
  Token tokens_[3];
  int peeked_ = 0;
  Trees trees_;
  std::vector<std::string> variables_ = {"$"};  // seen so far where we are
  int loops_ = 0;
  int nesting_ = 0;
  size_t nodes_ = 0;
};

Result<Program> parse_program(std::string_view source);

}  // namespace hearth::gotmpl
