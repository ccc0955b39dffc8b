// A program for differential tests: renders templates from standard input.
//
// Each line is an object {"source": TEXT, "context": {...}, "settings": {"trim_blocks": true,
// "lstrip_blocks": true, "keep_trailing_newline": false, "now": SECONDS,
// "steps_max": N}}; without a context the template is only compiled. Each answer is a line
// {"text": TEXT, "ms": M, "mib": PEAK} or
// {"error": MESSAGE, "kind": CODE, "stage": "compile" or "render", "ms": M, "mib": PEAK}.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <string>

#include "template/template.h"

namespace hearth {
namespace {

bool read_line(std::string& line) {
  line.clear();
  int c;
  while ((c = std::getchar()) != EOF && c != '\n') line.push_back(static_cast<char>(c));
  return c != EOF || !line.empty();
}

Json failure(const Error& error, std::string_view stage) {
  Json out;
  out.set("error", error.message);
  out.set("kind", static_cast<int64_t>(error.code));
  out.set("stage", stage);
  return out;
}

Json answer(const Json& request) {
  const Json& wanted = request["settings"];
  TemplateSettings settings;
  settings.trim_blocks = wanted.get_bool("trim_blocks", true).value_or(true);
  settings.lstrip_blocks = wanted.get_bool("lstrip_blocks", true).value_or(true);
  settings.keep_trailing_newline =
      wanted.get_bool("keep_trailing_newline", false).value_or(false);
  auto compiled = Template::compile(request["source"].as_string(), settings);
  if (!compiled) return failure(compiled.error(), "compile");
  Json out;
  if (!request.find("context")) return out;
  RenderOptions options;
  options.now = wanted.get_int("now", -1).value_or(-1);
  options.steps_max = static_cast<uint64_t>(
      wanted.get_int("steps_max", static_cast<int64_t>(options.steps_max)).value_or(0));
  auto text = compiled->render(request["context"], options);
  if (!text) return failure(text.error(), "render");
  out.set("text", std::move(*text));
  return out;
}

int run() {
  std::string line;
  while (read_line(line)) {
    auto request = Json::parse(line);
    if (!request || !request->is_object() || !(*request)["source"].is_string()) {
      std::fprintf(stderr, "a line is no request\n");
      return 1;
    }
    auto start = std::chrono::steady_clock::now();
    Json out = answer(*request);
    std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    out.set("ms", took.count());
    out.set("mib", static_cast<int64_t>(usage.ru_maxrss / 1024));
    std::string text = out.dump() + "\n";
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace hearth

int main() { return hearth::run(); }
