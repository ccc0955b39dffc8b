// Any bytes as a template; what compiles is rendered with a small conversation.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "template/template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const hearth::Json kContext = [] {
    auto json = hearth::Json::parse(
        R"({"messages":[{"role":"user","content":"h\u00e9 <b>"},{"role":"assistant",
            "content":null,"tool_calls":[{"function":{"name":"f",
            "arguments":{"x":[1,2.5,true]}}}]}],
            "tools":[{"type":"function"}],"bos_token":"<s>","add_generation_prompt":true,"x":3})");
    CHECK(json.has_value());
    return *json;
  }();
  auto compiled = hearth::Template::compile({reinterpret_cast<const char*>(data), size});
  if (!compiled) return 0;
  hearth::RenderOptions options;
  options.now = 1767323045;
  options.steps_max = 200'000;
  auto marked = compiled->render_marked(kContext, options);
  if (!marked) return 0;
  size_t last = 0;
  for (const hearth::TextRange& range : marked->foreign) {
    CHECK(range.begin < range.end && (range.begin > last || last == 0));
    last = range.end;
  }
  CHECK(last <= marked->text.size());
  return 0;
}
