// Any bytes as a Go template; what compiles is rendered with a small conversation.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "template/go/go_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const hearth::Json kChat = [] {
    auto json = hearth::Json::parse(
        R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":"h\u00e9 <b>",
            "images":["AQID"]},{"role":"assistant","content":"","thinking":"t","tool_calls":[
            {"id":"i","function":{"name":"f","arguments":{"x":[1,2.5,true,null]}}}]}],"think":true,
            "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":
            {"type":"object","required":["x"],"properties":{"x":{"type":["string","null"],
            "enum":["a"]}}}}}]})");
    CHECK(json.has_value());
    return *json;
  }();
  auto made = hearth::GoTemplate::compile({reinterpret_cast<const char*>(data), size});
  if (!made) return 0;
  hearth::RenderOptions options;
  options.now = 1767323045;
  options.steps_max = 200'000;
  auto text = made->render(kChat, options);
  if (!text) return 0;
  size_t end = 0;  // the ranges of a text are sorted, apart and inside
  for (const hearth::TextRange& range : text->foreign) {
    CHECK(range.begin < range.end && (end == 0 || range.begin > end));
    end = range.end;
  }
  CHECK(end <= text->text.size());
  return 0;
}
