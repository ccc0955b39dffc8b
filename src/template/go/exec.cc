#include "template/go/exec.h"

#include "template/go/exec_error.h"
#include "template/go/printer.h"

namespace hearth::gotmpl {

Result<void> Exec::run(const Value& data, Rendered& out) {
  stack_ = static_cast<const char*>(__builtin_frame_address(0));
  out_ = &out;
  variables_ = {{"$", data}};
  const Node& main = *trees_.find("")->second;
  TRY(walk_list(data, main));
  return budget_.spent ? step(main) : Result<void>();
}

Result<void> Exec::step(const Node& node) {
  auto* here = static_cast<const char*>(__builtin_frame_address(0));
  if (static_cast<size_t>(stack_ - here) > kStackBytes)
    return error(node, "the template calls itself too deep");
  if (budget_.take_steps(1)) return {};
  return fail(Code::kTooLarge, "{}: the template does too much or prints too much",
              place(source_, node.pos));
}

Result<Exec::Flow> Exec::walk_list(const Value& dot, const Node& list) {
  for (const NodePtr& node : list.children) {
    Flow flow = TRY(walk(dot, *node));
    if (flow != Flow::kOn) return flow;
  }
  return Flow::kOn;
}

Result<Exec::Flow> Exec::walk(const Value& dot, const Node& node) {
  TRY(step(node));
  switch (node.kind) {
    case NodeKind::kText:
      Sink(*out_, budget_).put(node.text, false);
      return Flow::kOn;
    case NodeKind::kAction: {
      Value value = TRY(pipeline(dot, *node.pipe));
      if (node.pipe->names.empty()) TRY(print(node, value));
      return Flow::kOn;
    }
    case NodeKind::kIf:
    case NodeKind::kWith: return walk_branch(dot, node);
    case NodeKind::kRange: return walk_range(dot, node);
    case NodeKind::kTemplate: return walk_template(dot, node);
    case NodeKind::kBreak: return Flow::kBreak;
    case NodeKind::kContinue: return Flow::kContinue;
    default: return walk_list(dot, node);
  }
}

Result<void> Exec::print(const Node& node, const Value& value) {
  Printer(Sink(*out_, budget_)).action(value);
  return step(node);
}

Result<Exec::Flow> Exec::walk_branch(const Value& dot, const Node& node) {
  size_t mark = variables_.size();
  Value value = TRY(pipeline(dot, *node.pipe));
  Flow flow = Flow::kOn;
  if (truth(value)) flow = TRY(walk_list(node.kind == NodeKind::kWith ? value : dot, *node.list));
  else if (node.else_list) flow = TRY(walk_list(dot, *node.else_list));
  variables_.resize(mark);
  return flow;
}

Result<Exec::Flow> Exec::walk_range(const Value& dot, const Node& node) {
  size_t mark = variables_.size();
  Value source = TRY(pipeline(dot, *node.pipe));
  if (source.kind() == Kind::kPointer && !source.is_nil()) source = source.pointee();
  bool ran = false;
  Flow flow = TRY(iterate(source, node, &ran));
  // A break in the else ends nothing but the else: it is still this range's own.
  if (!ran && node.else_list) flow = TRY(walk_list(dot, *node.else_list));
  variables_.resize(mark);
  return flow == Flow::kBreak ? Flow::kOn : flow;
}

Result<Exec::Flow> Exec::iterate(const Value& source, const Node& node, bool* ran) {
  switch (source.kind()) {
    case Kind::kInt:
    case Kind::kUint8: return iterate_int(source, node, ran);
    case Kind::kSlice:
    case Kind::kMap: break;
    case Kind::kInvalid:
    case Kind::kNilInterface: return Flow::kOn;
    default: return error(node, "range can't iterate over a {}", source.type().name);
  }
  bool is_map = source.kind() == Kind::kMap;
  for (size_t i = 0; i < source.size(); ++i) {
    *ran = true;
    Flow flow = TRY(is_map ? one_iteration(source.key(i), source.value(i), node)
                           : one_iteration(Value::integer(static_cast<int64_t>(i)), source.at(i),
                                           node));
    if (flow == Flow::kBreak) break;
  }
  return Flow::kOn;
}

Result<Exec::Flow> Exec::iterate_int(const Value& source, const Node& node, bool* ran) {
  if (node.pipe->names.size() > 1)
    return error(node, "can't use {} to iterate over more than one variable", source.as_int());
  for (int64_t i = 0; i < source.as_int(); ++i) {
    *ran = true;
    Value element = source.kind() == Kind::kInt
                        ? Value::integer(i) : Value::byte(static_cast<uint8_t>(i), false);
    if (TRY(one_iteration({}, element, node)) == Flow::kBreak) break;
  }
  return Flow::kOn;
}

Result<Exec::Flow> Exec::one_iteration(const Value& index, const Value& element,
                                       const Node& node) {
  size_t mark = variables_.size();
  TRY(step(node));
  TRY(set_loop_variables(index, element, *node.pipe));
  Flow flow = TRY(walk_list(element, *node.list));
  variables_.resize(mark);
  return flow == Flow::kBreak ? flow : Flow::kOn;
}

// The pipeline has declared the variables: they are the last ones.
Result<void> Exec::set_loop_variables(const Value& index, const Value& element,
                                      const Node& pipe) {
  size_t count = pipe.names.size();
  if (count == 0) return {};
  if (!pipe.assigns) {
    variables_.back().value = element;
    if (count > 1) variables_[variables_.size() - 2].value = index;
    return {};
  }
  *TRY(find_variable(pipe, pipe.names[0])) = count > 1 ? index : element;
  if (count > 1) *TRY(find_variable(pipe, pipe.names[1])) = element;
  return {};
}

Result<Exec::Flow> Exec::walk_template(const Value& dot, const Node& node) {
  auto tree = trees_.find(node.text);
  if (tree == trees_.end()) return error(node, "template \"{}\" not defined", node.text);
  if (calls_ == kCallsMax) return error(node, "exceeded maximum template depth ({})", kCallsMax);
  Value inner = node.pipe ? TRY(pipeline(dot, *node.pipe)) : Value();
  size_t mark = variables_.size(), scope = scope_;
  scope_ = mark;
  variables_.push_back({"$", inner});
  ++calls_;
  TRY(walk_list(inner, *tree->second));
  --calls_;
  scope_ = scope;
  variables_.resize(mark);
  return Flow::kOn;
}

}  // namespace hearth::gotmpl
