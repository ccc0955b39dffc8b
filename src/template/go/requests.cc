// Answers what tests/go_templates/main.go answers in its mode `serve`: a request a line, so that
// tests/long/go_templates.py can compare the two.
#include <iostream>
#include <string>

#include "template/go/go_template.h"
#include "template/go/plain_run.h"

namespace hearth {
namespace {

Json answer_of(const Result<Rendered>& text) {
  Json out;
  if (!text) {
    out.set("error", text.error().message);
    return out;
  }
  out.set("text", text->text);
  Json::Array ranges;
  for (const TextRange& range : text->foreign)
    ranges.push_back(Json::Array{Json(range.begin), Json(range.end)});
  out.set("foreign", std::move(ranges));
  return out;
}

Json refused(const Error& error) {
  Json out;
  out.set("error", error.message);
  out.set("parse", true);
  return out;
}

Json answer(const Json& request) {
  const std::string& source = request["template"].as_string();
  if (request["kind"] == Json("plain")) {
    auto program = gotmpl::parse_program(source);
    return program ? answer_of(gotmpl::run_plain(*program, request["data"]))
                   : refused(program.error());
  }
  auto compiled = GoTemplate::compile(source);
  if (!compiled) return refused(compiled.error());
  Json out = answer_of(compiled->render(request["data"]));
  if (out.find("error")) return out;
  Json::Array names;
  for (const std::string& name : compiled->names()) names.push_back(name);
  if (!names.empty()) out.set("names", std::move(names));
  out.set("open", compiled->thinking_open());
  out.set("close", compiled->thinking_close());
  return out;
}

int serve() {
  std::string line;
  while (std::getline(std::cin, line)) {
    auto request = Json::parse(line);
    if (!request || !(*request)["template"].is_string()) return 1;
    std::cout << answer(*request).dump() << '\n';
  }
  return 0;
}

}  // namespace
}  // namespace hearth

int main() { return hearth::serve(); }
