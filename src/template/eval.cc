// Expressions.
#include "template/interp.h"

namespace hearth::jinja {

// The innermost node that fails names the place.
Error Interp::located(Error error, uint32_t pos) {
  if (!located_) {
    located_ = true;
    error.message = position_text(program_.source, pos) + ": " + error.message;
  }
  return error;
}

const Value* Interp::find_name(uint32_t symbol) const {
  for (const Value* at = &scope_; !at->is_missing(); at = &at->as<Scope>().parent) {
    if (const Value* found = at->as<Scope>().find(symbol)) {
      return found->is_missing() ? nullptr : found;  // missing: hidden until it is set
    }
  }
  const Value& base = base_[symbol];
  return base.is_missing() ? nullptr : &base;
}

Result<Value> Interp::eval(NodeId id) {
  const Node& node = program_.nodes[id];
  if (!heap.spend(1) || heap.full() || heap.too_deep()) [[unlikely]] {
    return std::unexpected(located(check().error(), node.pos));
  }
  if (node.kind == NodeKind::kConst) return program_.constants[node.a];
  auto entered = enter();
  if (!entered) [[unlikely]] {
    return std::unexpected(located(std::move(entered).error(), node.pos));
  }
  auto result = eval_node(node);
  leave();
  if (!result) [[unlikely]] return std::unexpected(located(std::move(result).error(), node.pos));
  return result;
}

Result<Value> Interp::eval_node(const Node& node) {
  switch (node.kind) {
    case NodeKind::kConst: return program_.constants[node.a];
    case NodeKind::kName: return eval_name(node);
    case NodeKind::kTuple:
    case NodeKind::kList: return eval_list(node);
    case NodeKind::kDict: return eval_dict(node);
    case NodeKind::kUnary: return eval_unary(node);
    case NodeKind::kBinary: return eval_binary(node);
    case NodeKind::kConcat: return eval_concat(node);
    case NodeKind::kCompare: return eval_compare(node);
    case NodeKind::kCond: return eval_cond(node);
    case NodeKind::kGetattr: {
      Value subject = TRY(eval(node.a));
      const Symbol& symbol = program_.symbols[node.b];
      return attribute(subject, symbol.name, symbol.methods);
    }
    case NodeKind::kGetitem: {
      Value subject = TRY(eval(node.a));
      Value key = TRY(eval(node.b));
      return item(subject, key);
    }
    case NodeKind::kSlice: return eval_slice(node);
    case NodeKind::kCall: return eval_call(node, {});
    case NodeKind::kFilter: return eval_filter(node, nullptr);
    case NodeKind::kTest: return eval_test(node);
    default: break;
  }
  return fail(Code::kInternal, "a statement where an expression should be");
}

Result<Value> Interp::eval_name(const Node& node) {
  if (const Value* found = find_name(node.a)) return *found;
  return Value::undefined(Lack::kName, program_.symbols[node.a].name);
}

Result<Value> Interp::eval_list(const Node& node) {
  std::vector<Value> values;
  values.reserve(node.c);
  for (uint32_t i = 0; i < node.c; ++i) {
    values.push_back(TRY(eval(program_.lists[node.b + i])));
  }
  return node.kind == NodeKind::kList ? list(std::move(values)) : tuple(std::move(values));
}

Result<Value> Interp::eval_dict(const Node& node) {
  Value made(new_dict());
  for (uint32_t i = 0; i < node.c; i += 2) {
    Value key = TRY(eval(program_.lists[node.b + i]));
    Value value = TRY(eval(program_.lists[node.b + i + 1]));
    TRY(set_item(made.as<Dict>(), std::move(key), std::move(value)));
  }
  return made;
}

Result<Value> Interp::eval_unary(const Node& node) {
  Value value = TRY(eval(node.a));
  if (node.op == Op::kNot) return Value::boolean(!truth(value));
  return unary_op(*this, node.op, value);
}

Result<Value> Interp::eval_binary(const Node& node) {
  Value left = TRY(eval(node.a));
  if (node.op == Op::kAnd) return truth(left) ? eval(node.b) : left;
  if (node.op == Op::kOr) return truth(left) ? left : eval(node.b);
  Value right = TRY(eval(node.b));
  return binary_op(*this, node.op, left, right);
}

Result<Value> Interp::eval_concat(const Node& node) {
  Rendered text;
  for (uint32_t i = 0; i < node.c; ++i) {
    Value part = TRY(eval(program_.lists[node.b + i]));
    TRY(append_value(*this, text, part));
  }
  return marked(std::move(text));
}

// a < b < c: each operand is evaluated once, and the first false one ends it.
Result<Value> Interp::eval_compare(const Node& node) {
  Value left = TRY(eval(node.a));
  for (uint32_t i = 0; i < node.c; i += 2) {
    auto op = static_cast<Op>(program_.lists[node.b + i]);
    Value right = TRY(eval(program_.lists[node.b + i + 1]));
    if (!TRY(compare_op(*this, op, left, right))) return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

Result<Value> Interp::eval_cond(const Node& node) {
  Value test = TRY(eval(node.b));
  if (truth(test)) return eval(node.a);
  if (node.c != kNoNode) return eval(node.c);
  return Value::undefined(Lack::kHint, string("the inline if-expression has no else section"));
}

Result<Value> Interp::eval_slice(const Node& node) {
  Value subject = TRY(eval(node.a));
  Value part[3];
  for (uint32_t i = 0; i < 3; ++i) {
    NodeId id = program_.lists[node.b + i];
    if (id != kNoNode) part[i] = TRY(eval(id));
  }
  return slice(subject, part[0], part[1], part[2]);
}

Result<Args> Interp::eval_args(const CallData& data) {
  Args args;
  args.positional.reserve(data.args.size());
  for (NodeId id : data.args) args.positional.push_back(TRY(eval(id)));
  for (const auto& [name, id] : data.named) {
    args.named.emplace_back(program_.constants[name], TRY(eval(id)));
  }
  if (data.star != kNoNode) {
    Value more = TRY(eval(data.star));
    for (Value& value : TRY(to_vector(more))) args.positional.push_back(std::move(value));
  }
  if (data.star_star != kNoNode) {
    Value more = TRY(eval(data.star_star));
    if (!more.is_dict()) return type_error("the argument after ** must be a mapping");
    for (const auto& [name, value] : more.dict().entries) {
      if (!name.is_string()) return type_error("keywords must be strings");
      for (const auto& [known, unused] : args.named) {
        if (known.text() == name.text()) {
          return type_error(fmt::format("got multiple values for keyword argument '{}'",
                                        name.text()));
        }
      }
      args.named.emplace_back(name, value);
    }
  }
  return args;
}

// `caller` is the body of a call block, or missing.
Result<Value> Interp::eval_call(const Node& node, Value caller) {
  Value callee = TRY(eval(node.a));
  Args args = TRY(eval_args(program_.calls[node.b]));
  if (!caller.is_missing()) {
    args.named.emplace_back(program_.symbols[program_.caller_symbol].name, std::move(caller));
  }
  return call(callee, std::move(args));
}

// The innermost filter of a chain in a filter block works on the captured text.
Result<Value> Interp::eval_filter(const Node& node, const Value* captured) {
  Value subject;
  if (node.a == kNoNode) {
    subject = *captured;
  } else if (captured) {
    subject = TRY(eval_filter(program_.nodes[node.a], captured));
  } else {
    subject = TRY(eval(node.a));
  }
  const Builtin* row = program_.builtins[node.c];
  if (!row) {
    return fail(Code::kInvalid, "there is no filter named '{}'",
                program_.constants[node.d].text());
  }
  Args args = TRY(eval_args(program_.calls[node.b]));
  return apply(*row, subject, args);
}

Result<Value> Interp::eval_test(const Node& node) {
  Value subject = TRY(eval(node.a));
  const Builtin* row = program_.builtins[node.c];
  if (!row) {
    return fail(Code::kInvalid, "there is no test named '{}'", program_.constants[node.d].text());
  }
  Args args = TRY(eval_args(program_.calls[node.b]));
  Value result = TRY(apply(*row, subject, args));
  return Value::boolean(truth(result));
}

}  // namespace hearth::jinja
