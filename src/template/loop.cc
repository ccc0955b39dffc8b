// The variable `loop` of a for statement.
#include "template/interp.h"

namespace hearth::jinja {

void Loop::clear() {
  items.clear();
  ahead.clear();
  previous = {};
  current = {};
  changed = {};
  scope = {};
}

Result<bool> Loop::advance(Interp& in, Value* out) {
  Value next;
  if (ahead_at < ahead.size()) {
    next = std::move(ahead[ahead_at++]);
    if (ahead_at == ahead.size()) {
      ahead.clear();
      ahead_at = 0;
    }
  } else if (!TRY(items.next(in, &next))) {
    return false;
  }
  ++index0;
  previous = std::move(current);
  current = next;
  *out = std::move(next);
  return true;
}

Result<bool> Loop::peek(Interp& in) {
  if (ahead_at < ahead.size()) return true;
  Value next;
  if (!TRY(items.next(in, &next))) return false;
  ahead.push_back(std::move(next));
  return true;
}

// Walks the rest where the length is not known.
Result<int64_t> Loop::length(Interp& in) {
  if (known_length >= 0) return known_length;
  Value next;
  while (TRY(items.next(in, &next))) ahead.push_back(std::move(next));
  known_length = index0 + 1 + static_cast<int64_t>(ahead.size() - ahead_at);
  return known_length;
}

namespace {

Result<Value> loop_cycle(Call& call) {
  const Loop& loop = call.self.as<Loop>();
  size_t count = call.raw.positional.size();
  if (count == 0) return type_error("no items for cycling given");
  return call.raw.positional[static_cast<size_t>(loop.index0) % count];
}

Result<Value> loop_changed(Call& call) {
  Loop& loop = call.self.as<Loop>();
  Value seen = call.in.tuple(call.raw.positional);
  bool changed = loop.changed.is_missing() || !equal(call.in.heap, loop.changed, seen);
  if (changed) loop.changed = seen;
  return Value::boolean(changed);
}

constexpr Builtin kCycle{"cycle", loop_cycle, 0, {}, Take::kAny};
constexpr Builtin kChanged{"changed", loop_changed, 0, {}, Take::kAny};

}  // namespace

Result<Value> loop_attribute(Interp& in, const Value& subject, const Value& name) {
  Loop& loop = subject.as<Loop>();
  std::string_view text = name.text();
  if (text == "index") return Value::integer(loop.index0 + 1);
  if (text == "index0") return Value::integer(loop.index0);
  if (text == "first") return Value::boolean(loop.index0 == 0);
  if (text == "last") return Value::boolean(!TRY(loop.peek(in)));
  if (text == "length") return Value::integer(TRY(loop.length(in)));
  if (text == "revindex") return Value::integer(TRY(loop.length(in)) - loop.index0);
  if (text == "revindex0") return Value::integer(TRY(loop.length(in)) - loop.index0 - 1);
  if (text == "depth") return Value::integer(loop.depth0 + 1);
  if (text == "depth0") return Value::integer(loop.depth0);
  if (text == "previtem") {
    if (loop.index0 > 0) return loop.previous;
    return Value::undefined(Lack::kHint, in.string("there is no previous item"));
  }
  if (text == "nextitem") {
    if (TRY(loop.peek(in))) return loop.ahead[loop.ahead_at];
    return Value::undefined(Lack::kHint, in.string("there is no next item"));
  }
  if (text == "cycle") return Value(in.heap.make<Method>(0, subject, &kCycle));
  if (text == "changed") return Value(in.heap.make<Method>(0, subject, &kChanged));
  return Value::undefined(Lack::kAttribute, name, subject.type());
}

}  // namespace hearth::jinja
