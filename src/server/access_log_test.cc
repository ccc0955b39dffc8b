#include "server/access_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/json.h"

namespace hearth::server {
namespace {

TEST(AccessLog, LinesAreJson) {
  std::vector<Header> notes = {{"model", "a\"\n"}, {"tokens", "12"}, {"x", "01"}, {"y", "1e3"},
                               {"z", "nan"}, {"v", ".5"}, {"w", "-0.25"}};
  AccessLine line{.time = std::chrono::system_clock::time_point(std::chrono::milliseconds(1999)),
                  .id = "i", .method = "GET", .path = "/\xff\"\n", .remote = "::1", .status = 200,
                  .bytes = 5, .milliseconds = 1.25, .gone = true, .notes = notes};
  std::string text = format_line(line);
  EXPECT_EQ(text.find('\n'), text.size() - 1);
  auto json = Json::parse(text);
  ASSERT_TRUE(json) << text;
  EXPECT_EQ((*json)["time"].as_string(), "1970-01-01T00:00:01.999Z");
  EXPECT_EQ((*json)["status"].as_int(), 200);
  EXPECT_EQ((*json)["path"].as_string(), "/\xEF\xBF\xBD\"\n");
  EXPECT_EQ((*json)["ms"].as_double(), 1.25);
  EXPECT_EQ((*json)["tokens"].as_int(), 12);
  EXPECT_EQ((*json)["w"].as_double(), -0.25);
  EXPECT_EQ((*json)["model"].as_string(), "a\"\n");
  for (const char* name : {"x", "z", "v"}) EXPECT_TRUE((*json)[name].is_string()) << name;
}

TEST(AccessLog, AStuckReaderCostsLinesAndNoTime) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);  // blocking, as stderr is
  {
    AccessLog log(ends[1]);
    for (int i = 0; i < 20000; ++i) {
      log.add({.id = "i", .method = "GET", .path = "/"});
      log.flush();  // would wait for ever if it waited
    }
    std::string got(1 << 20, '\0');
    ssize_t first = read(ends[0], got.data(), got.size());
    EXPECT_GT(first, 4096);
    std::string all = got.substr(0, static_cast<size_t>(first));
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 10000; ++i) {
      log.flush();
      ssize_t more = read(ends[0], got.data(), got.size());
      if (more <= 0) break;
      all.append(got.data(), static_cast<size_t>(more));
    }
    EXPECT_NE(all.find("\"lost_lines\":"), std::string::npos);
    EXPECT_LT(all.size(), size_t{2} << 20);
    EXPECT_EQ(all.back(), '\n');
  }
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace hearth::server
