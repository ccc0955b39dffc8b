#include "base/threads.h"
#include "kernels/limits.h"
#include "kernels/test_util.h"

namespace hearth {
namespace {

TEST(Dispatch, FindsTablesByName) {
  ASSERT_NE(find_kernels("ref"), nullptr);
  ASSERT_NE(find_kernels("plain"), nullptr);
  EXPECT_EQ(find_kernels("z80"), nullptr);
  EXPECT_EQ(find_kernels(""), nullptr);
  for (const Kernels* k : test::tables()) EXPECT_EQ(find_kernels(k->isa), k);
  EXPECT_NE(default_kernels().isa, "ref");
#ifdef __x86_64__
  // Whoever has the instructions gets the table.
  EXPECT_EQ(find_kernels("avx2") != nullptr, __builtin_cpu_supports("avx2") != 0 &&
                                                 __builtin_cpu_supports("fma") != 0);
  if (const Kernels* k = find_kernels("avx512_bf16")) {
    EXPECT_TRUE(k->has_bf16);
  }
#endif
}

// No test asserts a speed; only that there is an answer for every unit that the processor has.
TEST(Dispatch, LimitsAreMeasured) {
  ThreadPool pool(1);
  EXPECT_GT(read_gb_s(pool), 0.0);
  EXPECT_GT(f32_tflops(pool), 0.0);
  EXPECT_EQ(bf16_tflops(pool) > 0.0, find_kernels("avx512_bf16") != nullptr);
  EXPECT_EQ(int8_tops(pool) > 0.0, find_kernels("avx2") != nullptr);
}

}  // namespace
}  // namespace hearth
