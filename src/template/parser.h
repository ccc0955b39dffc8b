// Parser: tokens to a Program. Recursion is bounded by kNestingMax, and so is the depth of the
// tree (long chains such as a + b + c ... nest without recursion here, but not in the evaluator).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "template/ast.h"
#include "template/lexer.h"

namespace hearth::jinja {

// kCorrupt with "line L, column C: ...".
Result<std::unique_ptr<Program>> parse(std::string_view source, const TemplateSettings& settings);

class Parser {
 public:
  explicit Parser(Program& program) : program_(program) {}
  Result<void> run(const TemplateSettings& settings);

 private:
  using Names = std::vector<std::string_view>;

  // Statements (parser_statements.cc)
  Result<NodeId> body(const Names& ends);
  Result<NodeId> block_body(const Names& ends);  // from the end of a tag to before one of `ends`
  Result<NodeId> last_body(std::string_view end);  // the same, and past `end`
  Result<NodeId> statement();
  Result<NodeId> for_statement();
  Result<NodeId> if_statement();
  Result<NodeId> set_statement();
  Result<NodeId> macro_statement();
  Result<NodeId> call_statement();
  Result<NodeId> filter_statement();
  Result<NodeId> with_statement();
  Result<NodeId> scoped_statement();
  Result<NodeId> block_statement();
  Result<NodeId> print_statement();
  Result<NodeId> jump_statement();
  Result<NodeId> refused_statement();
  Result<void> signature(MacroData& macro);
  Result<NodeId> macro_body(MacroData macro, std::string_view end);  // a kMacro node
  Result<NodeId> target(bool attributes, std::string_view end);
  Result<NodeId> target_item(bool attributes);
  Result<NodeId> name_target();

  // Expressions (parser_expressions.cc)
  Result<NodeId> expression(bool conditional = true);
  Result<NodeId> conditional();
  Result<NodeId> binary(int level);
  Result<NodeId> negation();
  Result<NodeId> comparison();
  Result<NodeId> concat();
  Result<NodeId> unary(bool filters = true);
  Result<NodeId> primary();
  Result<NodeId> tuple(bool conditional, bool parentheses, std::string_view end = {});
  Result<NodeId> list_literal();
  Result<NodeId> dict_literal();
  Result<NodeId> postfix(NodeId node);
  Result<NodeId> filters_and_tests(NodeId node);
  Result<NodeId> subscript(NodeId node);
  Result<NodeId> subscript_part(NodeId subject);
  Result<NodeId> call(NodeId callee);
  Result<uint32_t> call_arguments();
  Result<void> call_argument(CallData& data);
  Result<NodeId> filter_chain(NodeId node, bool starts_inside);
  Result<NodeId> test(NodeId node);
  Result<NodeId> name_expression();
  Result<NodeId> number();
  Result<std::string_view> dotted_name();

  // Tokens (parser.cc)
  const Token& now() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  bool skip_op(std::string_view op);
  bool skip_name(std::string_view name);
  Result<void> expect_op(std::string_view op);
  Result<void> expect_name(std::string_view name);
  Result<void> expect(TokenKind kind, std::string_view what);
  bool at_tuple_end(std::string_view end) const;
  std::unexpected<Error> error(std::string message) const { return error_at(now().pos, message); }
  std::unexpected<Error> error_at(uint32_t pos, std::string message) const {
    return syntax_error(program_.source, pos, std::move(message));
  }
  std::string described() const;  // the current token, for messages

  // Building
  Result<NodeId> add(Node node);  // fills in depth
  uint16_t depth_of(const Node& node) const;
  Result<NodeId> add_list(NodeKind kind, uint32_t pos, const std::vector<uint32_t>& items,
                          uint32_t a = kNoNode, uint32_t d = kNoNode);
  uint32_t constant(Value value);
  uint32_t text_constant(std::string text);
  Value integer_constant(Integer number);
  uint32_t symbol(std::string_view name);
  uint32_t builtin(const Builtin* row);
  Node& node(NodeId id) { return program_.nodes[id]; }

  // Jinja makes a filter that does not exist an error of the template, but inside `if` one of
  // the moment it is used.
  struct Unknown {
    uint32_t pos;
    std::string message;
    bool soft = false, hard = false;
  };
  void soften(size_t from);
  void harden(size_t from);

  // Whether a macro's body reads caller, kwargs or varargs before it sets them.
  struct Reads {
    uint32_t symbols[3];
    bool read[3] = {}, stored[3] = {};
  };
  void note_load(uint32_t symbol);
  void note_store(uint32_t symbol);

  Program& program_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  int nesting_ = 0;
  int loops_ = 0;       // around this place, in this macro
  int all_loops_ = 0;   // around this place, macros or not
  std::vector<Unknown> unknown_;
  std::vector<Reads> reads_;
  std::unordered_map<std::string, uint32_t> symbol_ids_;

  friend struct Nesting;
};

}  // namespace hearth::jinja
