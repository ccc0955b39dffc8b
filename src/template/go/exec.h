// Exec: one run of a template's trees over a value. Rules: Go's text/template; nested template
// calls, steps and bytes have bounds. Not for use by two threads at once.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "template/go/ast.h"
#include "template/go/functions.h"
#include "template/go/sink.h"
#include "template/go/value.h"

namespace hearth::gotmpl {

// How deep templates may call templates, and what all of it may take of the thread's stack
// (sanitizers make frames several times larger).
inline constexpr int kCallsMax = 1000;
inline constexpr size_t kStackBytes = 3u << 20;

struct ExecOptions {
  bool missing_is_zero = true;  // a key that a map lacks is the zero value of its elements
  bool ollama_functions = true;
  int64_t now = -1;
};

class Exec {
 public:
  // `source`, for the places in errors, `trees` and `budget` outlive this.
  Exec(std::string_view source, const Trees& trees, ExecOptions options, Budget& budget)
      : source_(source), trees_(trees), options_(options), budget_(budget) {}

  // Runs the tree of the name "". kInvalid with line and column, kTooLarge for a spent budget.
  Result<void> run(const Value& data, Rendered& out);

 private:
  enum class Flow : uint8_t { kOn, kBreak, kContinue };
  struct Variable {
    std::string_view name;
    Value value;
  };
  using Args = std::span<const NodePtr>;  // empty, or the function itself and its arguments

  Result<Flow> walk(const Value& dot, const Node& node);
  Result<Flow> walk_list(const Value& dot, const Node& list);
  Result<Flow> walk_branch(const Value& dot, const Node& node);
  Result<Flow> walk_range(const Value& dot, const Node& node);
  Result<Flow> iterate(const Value& source, const Node& node, bool* ran);
  Result<Flow> iterate_int(const Value& source, const Node& node, bool* ran);
  Result<Flow> one_iteration(const Value& index, const Value& element, const Node& node);
  Result<void> set_loop_variables(const Value& index, const Value& element, const Node& pipe);
  Result<Flow> walk_template(const Value& dot, const Node& node);
  Result<void> print(const Node& node, const Value& value);

  Result<Value> pipeline(const Value& dot, const Node& pipe);
  // `last`: what the command before handed on, or null.
  Result<Value> command(const Value& dot, const Node& node, const Value* last);
  Result<Value> argument(const Value& dot, const Node& node, Parameter kind);
  Result<Value> operand(const Value& dot, const Node& node);
  Result<Value> fitted(Value value, const Node& node, Parameter kind);
  Result<Value> chain(const Value& dot, const Node& node, Args args, const Value* last);
  Result<Value> variable(const Node& node, Args args, const Value* last);
  Result<Value> fields(Value value, const Node& node, std::span<const std::string> names,
                       Args args, const Value* last);
  Result<Value> field(const Value& receiver, const Node& node, std::string_view name,
                      bool has_args);
  bool method(const Value& value, std::string_view name, Value* out);
  Result<Value> call(const Value& dot, const Node& node, const Function& function, Args args,
                     const Value* last);
  Result<Value> stop_early(const Value& dot, const Function& function, Args args,
                           const Value* last);
  Result<void> no_arguments(const Node& node, Args args, const Value* last);

  Result<Value*> find_variable(const Node& node, std::string_view name);
  Result<void> step(const Node& node);
  template <class... Parts>
  std::unexpected<Error> error(const Node& node, fmt::format_string<Parts...> format,
                               Parts&&... parts);

  std::string_view source_;
  const Trees& trees_;
  ExecOptions options_;
  Budget& budget_;
  Rendered* out_ = nullptr;
  std::vector<Variable> variables_;
  size_t scope_ = 0;  // where the variables of the running template begin
  int calls_ = 0;
  const char* stack_ = nullptr;  // where run() began
};

}  // namespace hearth::gotmpl
