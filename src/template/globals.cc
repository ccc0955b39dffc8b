// The global functions.
#include <chrono>
#include <ctime>

#include "template/interp.h"

namespace hearth::jinja {
namespace {

constexpr int64_t kRangeMax = 100'000;  // as in Jinja's sandbox

Result<Value> range(Call& call) {
  int64_t start = 0, stop = TRY(call.integer(0, 0)), step = TRY(call.integer(2, 1));
  if (call.has(1)) {
    start = stop;
    stop = TRY(call.integer(1, 0));
  }
  if (step == 0) return fail(Code::kInvalid, "range() arg 3 must not be zero");
  __int128 span = step > 0 ? static_cast<__int128>(stop) - start
                           : static_cast<__int128>(start) - stop;
  __int128 stride = step > 0 ? static_cast<__int128>(step) : -static_cast<__int128>(step);
  __int128 count = span > 0 ? (span - 1) / stride + 1 : 0;
  if (count > kRangeMax) {
    return fail(Code::kTooLarge, "range too big: more than {} items", kRangeMax);
  }
  return Value(call.in.heap.make<Range>(0, start, stop, step, static_cast<int64_t>(count)));
}

// What dict() and namespace() take: a mapping or pairs, then names.
Result<void> fill(Call& call, Dict& dict) {
  Args& raw = call.raw;
  if (raw.positional.size() > 1) return type_error("expected at most 1 argument");
  if (!raw.positional.empty() && raw.positional[0].is_dict()) {
    for (const auto& [key, value] : raw.positional[0].dict().entries) {
      TRY(call.in.set_item(dict, key, value));
    }
  } else if (!raw.positional.empty()) {
    Cursor walk = TRY(call.in.cursor(raw.positional[0]));
    Value pair;
    while (TRY(walk.next(call.in, &pair))) {
      std::vector<Value> parts = TRY(call.in.to_vector(pair));
      if (parts.size() != 2) return fail(Code::kInvalid, "dict() wants pairs");
      TRY(call.in.set_item(dict, parts[0], parts[1]));
    }
  }
  for (const auto& [name, value] : raw.named) TRY(call.in.set_item(dict, name, value));
  return {};
}

Result<Value> dict(Call& call) {
  Value made(call.in.new_dict());
  TRY(fill(call, made.as<Dict>()));
  return made;
}

Result<Value> make_namespace(Call& call) {
  Value made(call.in.heap.make<Namespace>(0));
  TRY(fill(call, made.as<Dict>()));
  for (const auto& [name, value] : made.as<Dict>().entries) {
    if (name.is_string() && name.text().starts_with('_')) {
      return fail(Code::kInvalid,
                  "a namespace takes no attribute that starts with an underscore");
    }
  }
  return made;
}

Result<Value> cycler(Call& call) {
  if (call.raw.positional.empty()) {
    return fail(Code::kInvalid, "at least one item has to be provided");
  }
  size_t bytes = call.raw.positional.size() * sizeof(Value);
  return Value(call.in.heap.make<Cycler>(bytes, call.raw.positional));
}

Result<Value> joiner(Call& call) {
  Value separator = call.has(0) ? TRY(as_string(call.in, call.arg[0])) : call.in.string(", ");
  return Value(call.in.heap.make<Joiner>(0, std::move(separator)));
}

Result<Value> raise_exception(Call& call) {
  std::string message = TRY(to_str(call.in, call.arg[0]));
  constexpr size_t kMessageBytes = 4096;
  if (message.size() > kMessageBytes) message.resize(kMessageBytes);
  return fail(Code::kInvalid, "{}", message);
}

// The directives as the C library knows them; %f is Python's, and a time without a zone has no
// %z and %Z.
Result<Value> strftime_now(Call& call) {
  std::string pattern;
  std::string_view given = TRY(call.text(0));
  if (given.size() > 1024) return fail(Code::kTooLarge, "the time format is too long");
  for (size_t i = 0; i < given.size(); ++i) {
    if (given[i] != '%' || i + 1 == given.size()) {
      pattern += given[i];
      continue;
    }
    char directive = given[++i];
    if (directive == 'f') {
      pattern += "000000";
    } else if (directive != 'z' && directive != 'Z') {
      pattern += '%';
      pattern += directive;
    }
  }
  std::time_t now = static_cast<std::time_t>(call.in.options.now);
  if (now < 0) now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  if (!gmtime_r(&now, &parts)) return fail(Code::kInvalid, "the clock shows no date");
  if (pattern.empty()) return call.in.string("");
  std::string text(8192, '\0');
  text.resize(std::strftime(text.data(), text.size(), pattern.c_str(), &parts));
  return call.in.string(std::move(text));
}

constexpr Builtin kRows[] = {
    {"range", range, 1, {"start", "stop", "step"}, Take::kPositional},
    {"dict", dict, 0, {}, Take::kAny},
    {"namespace", make_namespace, 0, {}, Take::kAny},
    {"cycler", cycler, 0, {}, Take::kAny},
    {"joiner", joiner, 0, {"sep"}},
    {"raise_exception", raise_exception, 1, {"message"}},
    {"strftime_now", strftime_now, 1, {"format"}},
};

}  // namespace

std::span<const Builtin> globals_table() { return kRows; }

}  // namespace hearth::jinja
