// Interp: one render of a Program. Walks the tree, holds the names, the output and the budgets.
// Filters, tests and methods get it to make values, call back and walk iterables.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "template/ast.h"
#include "template/builtin.h"
#include "template/template.h"
#include "template/value.h"

namespace hearth::jinja {

// How deep evaluation may nest: blocks in blocks, expressions, macros that call macros.
inline constexpr int kDepthMax = 1500;
// What that may take of the thread's stack: sanitizers make frames several times larger.
inline constexpr size_t kStackBytes = 3u << 20;

// Walks the items of any iterable, one by one.
class Cursor {
 public:
  Cursor() = default;
  explicit Cursor(Value source) : source_(std::move(source)) {}
  // False at the end.
  Result<bool> next(Interp& in, Value* out);
  std::optional<size_t> remaining() const;  // where it is known without walking
  void clear() { source_ = {}; }

 private:
  Value source_;
  size_t index_ = 0;  // item, or byte of a string
};

// An iterable that can be walked once: what generators are in Python.
struct Iterator : Object {
  explicit Iterator(Heap* heap) : Object(heap, Type::kIterator) {}
  virtual Result<bool> next(Interp& in, Value* out) = 0;
};

// The variable `loop`. It pulls the items, one ahead where somebody asks what comes next.
struct Loop : Object {
  Loop(Heap* heap, Cursor items, int depth0)
      : Object(heap, Type::kLoop), items(std::move(items)), depth0(depth0) {}
  void clear() override;
  Result<bool> advance(Interp& in, Value* out);
  Result<bool> peek(Interp& in);  // whether an item follows
  Result<int64_t> length(Interp& in);

  Cursor items;
  std::vector<Value> ahead;  // already pulled; taken from ahead_at on
  size_t ahead_at = 0;
  int64_t index0 = -1;
  int64_t known_length = -1;
  Value previous, current;
  Value changed;  // what changed() saw last, missing at first
  NodeId recurse = kNoNode;  // the for node, where it is recursive
  Value scope;               // around the for node
  int depth0;
};

struct Macro : Object {
  Macro(Heap* heap, const MacroData* data, Value scope)
      : Object(heap, Type::kMacro), data(data), scope(std::move(scope)) {}
  void clear() override { scope = {}; }
  const MacroData* data;
  Value scope;
};

struct Function : Object {  // a global
  Function(Heap* heap, const Builtin* row) : Object(heap, Type::kFunction), row(row) {}
  const Builtin* row;
};

struct Method : Object {
  Method(Heap* heap, Value self, const Builtin* row)
      : Object(heap, Type::kMethod), self(std::move(self)), row(row) {}
  void clear() override { self = {}; }
  Value self;
  const Builtin* row;
};

struct Cycler : Object {
  Cycler(Heap* heap, std::vector<Value> values)
      : Object(heap, Type::kCycler), values(std::move(values)) {}
  void clear() override { values.clear(); }
  std::vector<Value> values;
  size_t at = 0;
};

struct Joiner : Object {
  Joiner(Heap* heap, Value separator)
      : Object(heap, Type::kJoiner), separator(std::move(separator)) {}
  void clear() override { separator = {}; }
  Value separator;
  bool used = false;
};

class Interp {
 public:
  Interp(const Program& program, const RenderOptions& options, size_t context_bytes);
  Result<Rendered> run(const Json& context);

  // ---- making values
  // Text that a builtin made: foreign if it was given anything foreign.
  Value string(std::string text, bool markup = false);
  Value string(std::string_view text) { return string(std::string(text)); }
  Value string(const char* text) { return string(std::string(text)); }
  // Text whose maker knows which bytes are foreign.
  Value marked(Rendered text, bool markup = false);
  // Bytes of a string's own text, marked as they are there.
  Value part(const Value& of, std::string_view part);
  Value list(std::vector<Value> values);
  Value tuple(std::vector<Value> values);
  Dict* new_dict() { return heap.make<Dict>(0); }
  // kTooLarge beyond what Python prints.
  Result<Value> number(Integer value);
  // Sets an item, or fails for a key that cannot be hashed.
  Result<void> set_item(Dict& dict, Value key, Value value);

  // ---- budgets
  Result<void> check();              // kTooLarge once something is spent
  Result<void> fits(size_t bytes);   // before building something of that size
  Result<void> enter();              // one level of recursion; leave() when it ends
  void leave() { --depth_; }

  // ---- using values
  Result<Value> attribute(const Value& subject, const Value& name, const MethodSet* methods);
  Result<Value> attribute(const Value& subject, std::string_view name);
  Result<Value> item(const Value& subject, const Value& key);
  Result<Value> slice(const Value& subject, const Value& start, const Value& stop,
                      const Value& step);
  Result<Value> call(const Value& callee, Args args);
  Result<Value> apply(const Builtin& row, const Value& self, Args& args);
  Result<Cursor> cursor(const Value& value);
  Result<std::vector<Value>> to_vector(const Value& value);
  Result<int64_t> length(const Value& value);
  Result<Rendered> recurse_loop(const Value& loop, const Value& iterable);

  // ---- the tree
  Result<Value> eval(NodeId id);
  Result<bool> loop_filter(NodeId test, NodeId target, const Value& scope, const Value& item);

  Heap heap;
  const RenderOptions& options;
  uint64_t draws = 0;  // of the filter random so far

 private:
  enum class Flow : uint8_t { kNext, kBreak, kContinue };

  // Expressions (eval.cc)
  Result<Value> eval_node(const Node& node);
  Result<Value> eval_name(const Node& node);
  Result<Value> eval_list(const Node& node);
  Result<Value> eval_dict(const Node& node);
  Result<Value> eval_unary(const Node& node);
  Result<Value> eval_binary(const Node& node);
  Result<Value> eval_concat(const Node& node);
  Result<Value> eval_compare(const Node& node);
  Result<Value> eval_cond(const Node& node);
  Result<Value> eval_slice(const Node& node);
  Result<Value> eval_call(const Node& node, Value caller);
  Result<Value> eval_filter(const Node& node, const Value* captured);
  Result<Value> eval_test(const Node& node);
  Result<Args> eval_args(const CallData& data);

  // Statements (exec.cc)
  Result<Flow> exec(NodeId id);
  Result<Flow> exec_node(const Node& node);
  Result<Flow> exec_body(const Node& node);
  void hide_names(NodeId body);
  Value exported();
  Result<Flow> exec_if(const Node& node);
  Result<Flow> exec_for(NodeId id, const Node& node);
  Result<Flow> run_loop(NodeId id, const LoopData& data, const Value& iterable, int depth0);
  Result<Flow> exec_with(const Node& node);
  Result<Flow> exec_set_block(const Node& node);
  Result<Flow> exec_filter_block(const Node& node);
  Result<Flow> exec_call_block(const Node& node);
  Result<Flow> exec_scoped(NodeId body, Value parent);
  Result<void> assign(NodeId target, const Value& value);
  Result<void> unpack(const Node& target, const Value& value);
  Result<Value> call_macro(const Macro& macro, Args& args);
  Result<void> bind_macro(const Macro& macro, Args& args, Scope& scope);
  Result<void> emit_value(const Value& value);
  Result<void> emit_text(const Value& value);
  Result<void> count_output(size_t bytes);
  void load_context(const Json& context);
  enum class Origin : uint8_t { kOurs, kForeign, kWord };  // kWord: foreign unless a plain word
  Value from_json(const Json& json, Origin origin);
  Error located(Error error, uint32_t pos);

  const Value* find_name(uint32_t symbol) const;
  Scope& scope() { return scope_.as<Scope>(); }

  const Program& program_;
  std::vector<Value> base_;  // by symbol: the context, then the globals
  Value scope_;              // the innermost
  Value top_scope_;
  Rendered* out_ = nullptr;
  uint64_t written_ = 0;
  int depth_ = 0;
  const char* stack_ = nullptr;  // where run() began
  bool located_ = false;
  bool given_foreign_ = false;  // to the builtin that runs now
};

Result<Value> loop_attribute(Interp& in, const Value& loop, const Value& name);  // loop.cc

// ---- what operators do (ops.cc)
bool truth(const Value& value);
Result<Value> binary_op(Interp& in, Op op, const Value& a, const Value& b);
Result<Value> unary_op(Interp& in, Op op, const Value& value);
Result<bool> compare_op(Interp& in, Op op, const Value& a, const Value& b);
Result<bool> contains(Interp& in, const Value& container, const Value& item);
// Linear in the texts, whatever they hold; npos where there is none.
size_t find_text(std::string_view text, std::string_view what, size_t from);
size_t rfind_text(std::string_view text, std::string_view what);
Result<bool> less(Interp& in, const Value& a, const Value& b);
// Stable; keys and values have one length, and the values follow their keys.
Result<std::vector<Value>> sorted(Interp& in, std::vector<Value> keys, std::vector<Value> values,
                                  bool reverse);
// A number as a double; an int that is too large for one is an error.
Result<double> real_of(const Value& value);
std::unexpected<Error> undefined_error(const Value& value);
std::unexpected<Error> type_error(std::string message);

// ---- text of values (repr.cc, tojson.cc, format.cc)
Result<void> append_str(Interp& in, std::string& out, const Value& value);
Result<void> append_repr(Interp& in, std::string& out, const Value& value);
void append_text_repr(std::string& out, std::string_view text, bool ascii_only = false);
std::string ascii_repr(std::string_view repr);  // ascii() of a value with that repr()
Result<std::string> to_str(Interp& in, const Value& value);
// str(value) behind `out`, with its marks: those of a string, and all or nothing of other values.
Result<void> append_value(Interp& in, Rendered& out, const Value& value);
// str(value) as a value: a string is its own.
Result<Value> as_string(Interp& in, const Value& value);
void append_big(Interp& in, std::string& out, const Integer& number);
std::string float_repr(double value);
std::string escape_html(std::string_view text);

struct JsonStyle {
  bool ascii = false;
  bool sort_keys = false;
  bool indented = false;
  std::string indent;
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};
Result<std::string> to_json(Interp& in, const Value& value, const JsonStyle& style);

// 'template % values', 'template'.format(...), and format(value, spec).
Result<Rendered> percent_format(Interp& in, const Value& text, const Value& values);
Result<Rendered> brace_format(Interp& in, const Value& text, const Args& args,
                              const Value* mapping);
Result<std::string> format_value(Interp& in, const Value& value, std::string_view spec);
Result<Value> round_number(Interp& in, const Value& value, int64_t digits);

// Text as Python reads numbers: blanks around, single underscores; empty where it is none.
std::optional<double> parse_float(std::string_view text);
Result<std::optional<Integer>> parse_int(std::string_view text, int64_t base);

}  // namespace hearth::jinja
