// Exec's second half: what pipelines, commands and operands evaluate to.
#include <utility>

#include "template/go/exec_error.h"
#include "template/go/json_text.h"
#include "template/go/printer.h"

namespace hearth::gotmpl {

Result<Value*> Exec::find_variable(const Node& node, std::string_view name) {
  for (size_t i = variables_.size(); i > scope_; --i)
    if (variables_[i - 1].name == name) return &variables_[i - 1].value;
  return error(node, "undefined variable: {}", name);
}

Result<Value> Exec::pipeline(const Value& dot, const Node& pipe) {
  TRY(step(pipe));
  Value value;
  bool first = true;
  for (const NodePtr& node : pipe.children) {
    value = TRY(command(dot, *node, first ? nullptr : &value));
    if (!value.is_valid()) value = Value();  // an empty interface is no value from here on
    first = false;
  }
  for (const std::string& name : pipe.names) {
    if (pipe.assigns) *TRY(find_variable(pipe, name)) = value;
    else variables_.push_back({name, value});
  }
  return value;
}

Result<void> Exec::no_arguments(const Node& node, Args args, const Value* last) {
  if (args.size() > 1 || last) return error(node, "can't give an argument to what is no function");
  return {};
}

Result<Value> Exec::command(const Value& dot, const Node& node, const Value* last) {
  const Node& first = *node.children[0];
  Args args = node.children;
  switch (first.kind) {
    case NodeKind::kField: return fields(dot, first, first.names, args, last);
    case NodeKind::kChain: return chain(dot, first, args, last);
    case NodeKind::kIdentifier: return call(dot, node, *first.function, args, last);
    case NodeKind::kVariable: return variable(first, args, last);
    default: break;
  }
  TRY(no_arguments(first, args, last));
  if (first.kind == NodeKind::kNil) return error(first, "nil is not a command");
  return operand(dot, first);
}

// An operand that stands alone, without arguments.
Result<Value> Exec::operand(const Value& dot, const Node& node) {
  TRY(step(node));
  switch (node.kind) {
    case NodeKind::kDot: return dot;
    case NodeKind::kBool: return Value::boolean(node.integer != 0);
    case NodeKind::kInteger: return Value::integer(node.integer);
    case NodeKind::kFloat: return Value::number(node.number, false);
    case NodeKind::kOverflow: return error(node, "{} overflows int", node.text);
    case NodeKind::kString: return Value::text(node.constant);
    case NodeKind::kField: return fields(dot, node, node.names, {}, nullptr);
    case NodeKind::kChain: return chain(dot, node, {}, nullptr);
    case NodeKind::kVariable: return variable(node, {}, nullptr);
    case NodeKind::kIdentifier: return call(dot, node, *node.function, {}, nullptr);
    case NodeKind::kPipe: return pipeline(dot, node);
    default: return Value();  // nil
  }
}

Result<Value> Exec::argument(const Value& dot, const Node& node, Parameter kind) {
  if (node.kind == NodeKind::kNil && kind == Parameter::kString)
    return error(node, "cannot assign nil to string");
  return fitted(TRY(operand(dot, node)), node, kind);
}

// The value as an argument of this kind.
Result<Value> Exec::fitted(Value value, const Node& node, Parameter kind) {
  if (kind == Parameter::kAny && !value.is_valid()) return Value::nil_interface();
  if (kind != Parameter::kString || value.kind() == Kind::kString) return value;
  if (!value.is_valid()) return error(node, "invalid value; expected string");
  return error(node, "wrong type for value; expected string; got {}", value.type().name);
}

Result<Value> Exec::chain(const Value& dot, const Node& node, Args args, const Value* last) {
  const Node& inner = *node.children[0];
  return fields(TRY(operand(dot, inner)), node, node.names, args, last);
}

Result<Value> Exec::variable(const Node& node, Args args, const Value* last) {
  Value value = *TRY(find_variable(node, node.names[0]));
  if (node.names.size() > 1)
    return fields(std::move(value), node, std::span(node.names).subspan(1), args, last);
  TRY(no_arguments(node, args, last));
  return value;
}

Result<Value> Exec::fields(Value value, const Node& node, std::span<const std::string> names,
                           Args args, const Value* last) {
  for (size_t i = 0; i < names.size(); ++i) {
    TRY(step(node));
    bool has_args = i + 1 == names.size() && (args.size() > 1 || last);
    value = TRY(field(value, node, names[i], has_args));
  }
  return value;
}

// The few methods without arguments that Go lets a template call on Ollama's types.
bool Exec::method(const Value& value, std::string_view name, Value* out) {
  const Type& type = value.type();
  Rendered text;
  Sink sink(text, budget_);
  bool json = type.stringer == Stringer::kJson ||
              (type.stringer == Stringer::kPointerJson && value.addressable());
  if (name == "String" && json) append_json(sink, value);
  else if (name == "String" && type.stringer == Stringer::kTypeNames) Printer(sink).action(value);
  else if (name == "ToTypeScriptType" && &type == &kToolProperty) text = typescript_type(value);
  else return false;
  *out = Value::text(std::move(text));
  return true;
}

Result<Value> Exec::field(const Value& receiver, const Node& node, std::string_view name,
                          bool has_args) {
  if (receiver.kind() == Kind::kInvalid) return Value();
  if (receiver.kind() == Kind::kNilInterface)
    return error(node, "nil pointer evaluating interface {{}}.{}", name);
  bool points = receiver.kind() == Kind::kPointer && !receiver.is_nil();
  Value value = points ? receiver.pointee() : receiver;
  Value made;
  if (method(value, name, &made)) {
    if (has_args) return error(node, "wrong number of args for {}: want 0", name);
    return made;
  }
  if (value.kind() == Kind::kStruct) {
    for (size_t i = 0; i < value.type().fields.size(); ++i) {
      if (value.type().fields[i].name != name) continue;
      if (has_args) return error(node, "{} has arguments but cannot be invoked", name);
      return value.field(i);
    }
  } else if (value.kind() == Kind::kMap) {
    if (has_args) return error(node, "{} is not a method but has arguments", name);
    if (const Value* found = value.find(name)) return *found;
    return options_.missing_is_zero ? Value::zero(*value.type().element) : Value();
  }
  return error(node, "can't evaluate field {} in type {}", name, receiver.type().name);
}

Result<Value> Exec::stop_early(const Value& dot, const Function& function, Args args,
                               const Value* last) {
  Value value;
  for (const NodePtr& arg : args) {
    value = TRY(argument(dot, *arg, Parameter::kReflected));
    if (truth(value) == function.stops_at) return value;
  }
  return last ? *last : value;
}

Result<Value> Exec::call(const Value& dot, const Node& node, const Function& function, Args args,
                         const Value* last) {
  TRY(step(node));
  if (function.ours && !options_.ollama_functions)
    return error(node, "\"{}\" is not a defined function", function.name);
  if (!args.empty()) args = args.subspan(1);
  size_t count = args.size() + (last ? 1 : 0);
  if (count < function.fixed || (!function.variadic && count > function.fixed))
    return error(node, "wrong number of args for {}: want {}{} got {}", function.name,
                 function.variadic ? "at least " : "", function.fixed, count);
  if (!function.call) return stop_early(dot, function, args, last);
  std::vector<Value> values;
  values.reserve(count);
  auto kind = [&] { return values.empty() ? function.first : function.rest; };
  for (const NodePtr& arg : args) values.push_back(TRY(argument(dot, *arg, kind())));
  if (last) values.push_back(TRY(fitted(*last, node, kind())));
  auto value = function.call({values, budget_, options_.now});
  TRY(step(node));
  if (!value) return error(node, "error calling {}: {}", function.name, value.error().message);
  return value;
}

}  // namespace hearth::gotmpl
