// Statements.
#include <algorithm>

#include "template/interp.h"

namespace hearth::jinja {
namespace {

// Makes a scope the innermost one for as long as it lives.
struct Entered {
  Entered(Value& current, Value scope) : current(current), saved(std::move(current)) {
    current = std::move(scope);
  }
  ~Entered() { current = std::move(saved); }
  Value& current;
  Value saved;
};

// Sends the output to a string of its own for as long as it lives.
struct Captured {
  explicit Captured(Rendered*& out) : out(out), saved(out) { out = &text; }
  ~Captured() { out = saved; }
  Rendered*& out;
  Rendered* saved;
  Rendered text;
};

// The items of `for target in items if test`.
struct Filtered : Iterator {
  Filtered(Heap* heap, Cursor items, NodeId test, NodeId target, Value scope)
      : Iterator(heap), items(std::move(items)), test(test), target(target),
        scope(std::move(scope)) {}
  void clear() override {
    items.clear();
    scope = {};
  }
  Result<bool> next(Interp& in, Value* out) override {
    while (TRY(items.next(in, out))) {
      if (TRY(in.loop_filter(test, target, scope, *out))) return true;
    }
    return false;
  }

  Cursor items;
  NodeId test, target;
  Value scope;
};

}  // namespace

Result<Rendered> Interp::run(const Json& context) {
  Rendered text;
  out_ = &text;
  stack_ = static_cast<const char*>(__builtin_frame_address(0));
  load_context(context);
  scope_ = Value(heap.make<Scope>(0, Value()));
  top_scope_ = scope_;
  hide_names(program_.root);
  TRY(exec(program_.root));
  return text;
}

// Only the names that the template reads are brought over.
void Interp::load_context(const Json& context) {
  base_.resize(program_.symbols.size());
  for (size_t i = 0; i < base_.size(); ++i) {
    const Symbol& symbol = program_.symbols[i];
    if (const Json* given = context.find(symbol.name.text())) {
      std::string_view name = symbol.name.text();
      bool foreign = name == "messages" || name == "tools" || name == "documents" ||
                     std::ranges::find(options.foreign_names, name) != options.foreign_names.end();
      base_[i] = from_json(*given, foreign ? Origin::kForeign : Origin::kOurs);
    } else if (symbol.global) {
      base_[i] = Value(heap.make<Function>(0, symbol.global));
    }
  }
}

Result<void> Interp::count_output(size_t bytes) {
  written_ += bytes;
  heap.spend(bytes / 128);
  bool full = written_ > options.output_bytes_max ||
              !heap.fits(written_ + out_->foreign.size() * sizeof(TextRange));
  if (full) [[unlikely]] return fail(Code::kTooLarge, "the template writes too much text");
  return {};
}

Result<void> Interp::emit_value(const Value& value) {
  if (value.is_undefined()) return {};
  if (!value.is_string()) {
    std::string text = TRY(to_str(*this, value));
    TRY(count_output(text.size()));
    out_->append(text, value.is_foreign());
    return {};
  }
  const Str& text = value.as<Str>();
  TRY(count_output(text.text.size()));
  out_->append(text.text, text.marks, 0, text.text.size());
  return {};
}

// What a call or filter block gives must be text already: Jinja joins it without printing it.
Result<void> Interp::emit_text(const Value& value) {
  if (value.is_string()) return emit_value(value);
  return type_error(fmt::format("expected str instance, {} found", type_name(value.type())));
}

Result<Interp::Flow> Interp::exec(NodeId id) {
  const Node& node = program_.nodes[id];
  if (!heap.spend(1) || heap.full() || heap.too_deep()) [[unlikely]] {
    return std::unexpected(located(check().error(), node.pos));
  }
  if (node.kind == NodeKind::kData) {
    const std::string& text = program_.constants[node.a].text();
    TRY(count_output(text.size()));
    out_->text += text;
    return Flow::kNext;
  }
  auto entered = enter();
  if (!entered) return std::unexpected(located(std::move(entered).error(), node.pos));
  auto result = node.kind == NodeKind::kFor ? exec_for(id, node) : exec_node(node);
  leave();
  if (!result) [[unlikely]] return std::unexpected(located(std::move(result).error(), node.pos));
  return result;
}

Result<Interp::Flow> Interp::exec_node(const Node& node) {
  switch (node.kind) {
    case NodeKind::kBody: return exec_body(node);
    case NodeKind::kPrint: {
      Value value = TRY(eval(node.a));
      TRY(emit_value(value));
      return Flow::kNext;
    }
    case NodeKind::kIf: return exec_if(node);
    case NodeKind::kSet: {
      Value value = TRY(eval(node.b));
      TRY(assign(node.a, value));
      return Flow::kNext;
    }
    case NodeKind::kSetBlock: return exec_set_block(node);
    case NodeKind::kMacro: {
      const MacroData& data = program_.macros[node.a];
      scope().set(data.symbol, Value(heap.make<Macro>(0, &data, scope_)));
      return Flow::kNext;
    }
    case NodeKind::kCallBlock: return exec_call_block(node);
    case NodeKind::kFilterBlock: return exec_filter_block(node);
    case NodeKind::kWith: return exec_with(node);
    case NodeKind::kScoped:
      if (node.a != kNoNode && truth(TRY(eval(node.a)))) {
        return fail(Code::kUnsupported, "autoescape is not available in chat templates");
      }
      return exec_scoped(node.d, scope_);
    case NodeKind::kBlock: return exec_scoped(node.d, exported());
    case NodeKind::kBreak: return Flow::kBreak;
    case NodeKind::kContinue: return Flow::kContinue;
    case NodeKind::kRefused:
      return fail(Code::kUnsupported, "'{}' is not available: a chat template stands alone",
                  program_.constants[node.a].text());
    default: break;
  }
  return fail(Code::kInternal, "an expression where a statement should be");
}

Result<Interp::Flow> Interp::exec_body(const Node& node) {
  for (uint32_t i = 0; i < node.c; ++i) {
    Flow flow = TRY(exec(program_.lists[node.b + i]));
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

// What the top level has set so far: all that a {% block %} sees besides the context.
Value Interp::exported() {
  Value made(heap.make<Scope>(0, Value()));
  for (const auto& [symbol, value] : top_scope_.as<Scope>().names) {
    if (!value.is_missing()) made.as<Scope>().set(symbol, value);
  }
  return made;
}

// Names that the block sets itself are its own from the start (scopes.cc).
void Interp::hide_names(NodeId body) {
  uint32_t hidden = program_.nodes[body].a;
  if (hidden == kNoNode) return;
  for (uint32_t symbol : program_.hidden[hidden]) scope().set(symbol, Value());
}

Result<Interp::Flow> Interp::exec_if(const Node& node) {
  for (uint32_t i = 0; i < node.c; i += 2) {
    Value test = TRY(eval(program_.lists[node.b + i]));
    if (truth(test)) return exec(program_.lists[node.b + i + 1]);
  }
  return node.d == kNoNode ? Flow::kNext : exec(node.d);
}

// ---- loops

Result<Interp::Flow> Interp::exec_for(NodeId id, const Node& node) {
  const LoopData& data = program_.loops[node.a];
  Value iterable = TRY(eval(data.iter));
  return run_loop(id, data, iterable, 0);
}

Result<Interp::Flow> Interp::run_loop(NodeId id, const LoopData& data, const Value& iterable,
                                      int depth0) {
  Cursor items = TRY(cursor(iterable));
  auto count = items.remaining();
  if (data.test != kNoNode) {
    items = Cursor(Value(
        heap.make<Filtered>(0, std::move(items), data.test, data.target, scope_)));
    count.reset();
  }
  Value loop_value(heap.make<Loop>(0, std::move(items), depth0));
  Loop& loop = loop_value.as<Loop>();
  if (count) loop.known_length = static_cast<int64_t>(*count);
  if (data.recursive) loop.recurse = id;
  loop.foreign = iterable.is_foreign();
  loop.scope = scope_;
  bool completed = false;  // one round ended without break or continue: Jinja's rule for else
  Value around = scope_;
  Value inner;
  Value item;
  while (TRY(loop.advance(*this, &item))) {
    if (inner.is_missing() || inner.object()->refs > 1) {
      inner = Value(heap.make<Scope>(0, around));
    } else {
      inner.as<Scope>().names.clear();
    }
    inner.as<Scope>().set(program_.loop_symbol, loop_value);
    Entered entered(scope_, inner);
    TRY(assign(data.target, item));
    hide_names(data.body);
    inner = {};  // scope_ holds it, so that its count tells whether a macro holds it too
    Flow flow = TRY(exec(data.body));
    inner = scope_;
    entered.current = {};
    if (flow == Flow::kBreak) break;
    if (flow == Flow::kNext) completed = true;
  }
  if (!completed && data.otherwise != kNoNode) return exec_scoped(data.otherwise, around);
  return Flow::kNext;
}

Result<bool> Interp::loop_filter(NodeId test, NodeId target, const Value& scope,
                                 const Value& item) {
  Entered entered(scope_, Value(heap.make<Scope>(0, scope)));
  bool outer = std::exchange(given_foreign_, false);  // a builtin may walk this loop
  TRY(assign(target, item));
  Value result = TRY(eval(test));
  given_foreign_ = outer;
  return truth(result);
}

// loop(children): the body of a recursive loop once more, one level deeper.
Result<Rendered> Interp::recurse_loop(const Value& loop_value, const Value& iterable) {
  const Loop& loop = loop_value.as<Loop>();
  if (loop.recurse == kNoNode) {
    return type_error("the loop must have the 'recursive' marker to be called");
  }
  TRY(enter());
  Captured captured(out_);
  Entered entered(scope_, loop.scope);
  auto flow = run_loop(loop.recurse, program_.loops[program_.nodes[loop.recurse].a], iterable,
                       loop.depth0 + 1);
  leave();
  if (!flow) return std::unexpected(std::move(flow).error());
  return std::move(captured.text);
}

// ---- blocks

Result<Interp::Flow> Interp::exec_scoped(NodeId body, Value parent) {
  Entered entered(scope_, Value(heap.make<Scope>(0, std::move(parent))));
  hide_names(body);
  return exec(body);
}

Result<Interp::Flow> Interp::exec_with(const Node& node) {
  std::vector<Value> values;
  for (uint32_t i = 0; i < node.c; i += 2) {
    values.push_back(TRY(eval(program_.lists[node.b + i + 1])));
  }
  Entered entered(scope_, Value(heap.make<Scope>(0, scope_)));
  for (uint32_t i = 0; i < node.c; i += 2) {
    TRY(assign(program_.lists[node.b + i], values[i / 2]));
  }
  hide_names(node.d);
  return exec(node.d);
}

Result<Interp::Flow> Interp::exec_set_block(const Node& node) {
  Value text;
  {
    Captured captured(out_);
    Flow flow = TRY(exec_scoped(node.d, scope_));
    if (flow != Flow::kNext) return flow;
    text = marked(std::move(captured.text));
  }
  if (node.b != kNoNode) text = TRY(eval_filter(program_.nodes[node.b], &text));
  TRY(assign(node.a, text));
  return Flow::kNext;
}

Result<Interp::Flow> Interp::exec_filter_block(const Node& node) {
  Value text;
  {
    Captured captured(out_);
    Flow flow = TRY(exec_scoped(node.d, scope_));
    if (flow != Flow::kNext) return flow;
    text = marked(std::move(captured.text));
  }
  text = TRY(eval_filter(program_.nodes[node.a], &text));
  TRY(emit_text(text));
  return Flow::kNext;
}

Result<Interp::Flow> Interp::exec_call_block(const Node& node) {
  Value caller(heap.make<Macro>(0, &program_.macros[node.b], scope_));
  Value result = TRY(eval_call(program_.nodes[node.a], std::move(caller)));
  TRY(emit_text(result));
  return Flow::kNext;
}

// ---- assignment

Result<void> Interp::assign(NodeId target, const Value& value) {
  const Node& node = program_.nodes[target];
  if (node.kind == NodeKind::kTuple) return unpack(node, value);
  if (node.kind == NodeKind::kStore) {
    scope().set(node.a, value);
    return {};
  }
  const Value* space = find_name(node.a);
  if (!space || !space->is(Type::kNamespace)) {
    return fail(Code::kInvalid, "cannot assign attribute on non-namespace object");
  }
  const Value& name = program_.symbols[node.b].name;
  if (name.text().starts_with('_')) {
    return fail(Code::kInvalid, "a namespace takes no attribute that starts with an underscore");
  }
  Value held = *space;
  held.as<Namespace>().set(name, value);
  return {};
}

Result<void> Interp::unpack(const Node& target, const Value& value) {
  if (value.is_undefined() && target.c > 0) {
    return type_error("not enough values to unpack");
  }
  std::vector<Value> parts = TRY(to_vector(value));
  if (parts.size() != target.c) {
    return fail(Code::kInvalid, "expected {} values to unpack, got {}", target.c, parts.size());
  }
  for (uint32_t i = 0; i < target.c; ++i) {
    TRY(assign(program_.lists[target.b + i], parts[i]));
  }
  return {};
}

// ---- macros

// Positions first, then names; what is left over goes to kwargs and varargs if the body reads
// them, and is an error otherwise.
Result<void> Interp::bind_macro(const Macro& macro, Args& args, Scope& names) {
  const MacroData& data = *macro.data;
  size_t given = std::min(args.positional.size(), data.params.size());
  for (size_t i = 0; i < given; ++i) names.set(data.params[i], args.positional[i]);
  auto take = [&](std::string_view name) {
    for (size_t i = 0; i < args.named.size(); ++i) {
      if (args.named[i].first.text() != name) continue;
      Value value = std::move(args.named[i].second);
      args.named.erase(args.named.begin() + static_cast<ptrdiff_t>(i));
      return value;
    }
    return Value();
  };
  bool has_caller = false;
  std::vector<size_t> unset;
  for (size_t i = 0; i < data.params.size(); ++i) {
    has_caller |= data.params[i] == program_.caller_symbol;
    if (i < given) continue;
    Value value = take(program_.symbols[data.params[i]].name.text());
    if (value.is_missing()) {
      unset.push_back(i);
    } else {
      names.set(data.params[i], std::move(value));
    }
  }
  if (data.uses_caller && !has_caller) {
    Value caller = take("caller");
    if (caller.is_missing() || caller.is_none()) {
      caller = Value::undefined(Lack::kHint, string("no caller defined"));
    }
    names.set(program_.caller_symbol, std::move(caller));
  }
  if (data.uses_kwargs) {
    Value rest(new_dict());
    for (auto& [name, value] : args.named) rest.as<Dict>().set(name, value);
    names.set(program_.kwargs_symbol, rest);
  } else if (!args.named.empty()) {
    return type_error(fmt::format("macro '{}' takes no keyword argument '{}'",
                                  program_.constants[data.name].text(),
                                  args.named[0].first.text()));
  }
  if (data.uses_varargs) {
    auto first = args.positional.begin() + static_cast<ptrdiff_t>(given);
    names.set(program_.varargs_symbol, tuple({first, args.positional.end()}));
  } else if (args.positional.size() > data.params.size()) {
    return type_error(fmt::format("macro '{}' takes not more than {} arguments",
                                  program_.constants[data.name].text(), data.params.size()));
  }
  for (size_t i : unset) {  // defaults may use the parameters before them
    size_t first = data.params.size() - data.defaults.size();
    const Value& name = program_.symbols[data.params[i]].name;
    Value value = i >= first ? TRY(eval(data.defaults[i - first]))
                             : Value::undefined(Lack::kHint, string(fmt::format(
                                   "parameter '{}' was not provided", name.text())));
    names.set(data.params[i], std::move(value));
  }
  return {};
}

Result<Value> Interp::call_macro(const Macro& macro, Args& args) {
  Value held(const_cast<Macro*>(&macro));  // its body may overwrite its name
  Entered entered(scope_, Value(heap.make<Scope>(0, macro.scope)));
  Value inner = scope_;
  hide_names(macro.data->body);
  TRY(bind_macro(macro, args, inner.as<Scope>()));
  Captured captured(out_);
  TRY(exec(macro.data->body));
  return marked(std::move(captured.text));
}

}  // namespace hearth::jinja
