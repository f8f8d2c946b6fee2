#include "core/base/status.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <string>

#include "core/base/check.h"

namespace vineyard {
namespace {

constexpr Code kAll[] = {
    Code::kOk,       Code::kInvalid,     Code::kNotFound,    Code::kExists,      Code::kOutOfMemory,
    Code::kTimeout,  Code::kUnavailable, Code::kInterrupted, Code::kPermission,  Code::kVersion,
    Code::kProtocol, Code::kType,        Code::kLimit,       Code::kConflict,    Code::kInUse,
    Code::kForked,   Code::kRemote,      Code::kHostMemory,  Code::kUnsupported, Code::kCorrupt,
    Code::kUnknown,  Code::kSealed,      Code::kIo,          Code::kInternal};

TEST(Status, EveryCodeHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (Code code : kAll) names.insert(CodeName(code));
  EXPECT_EQ(names.size(), std::size(kAll));
  EXPECT_EQ(names.count("unknown code"), 0u);
  EXPECT_EQ(CodeName(Code::kNotFound), "not found");
}

TEST(Status, CodeFromAnotherReleaseHasANameToo) {
  EXPECT_EQ(CodeName(static_cast<Code>(-98)), "unknown code");
}

TEST(Status, WithoutArgumentsItIsOk) {
  EXPECT_TRUE(Status().ok());
  EXPECT_EQ(Status().ToString(), "ok");
}

TEST(Status, PrintsCodeAndText) {
  EXPECT_EQ(NotFound("object x").ToString(), "not found: object x");
  EXPECT_EQ(Status(Code::kTimeout, "").ToString(), "timeout");
}

TEST(Status, ErrnoBecomesTheCodeThatCallersActOn) {
  EXPECT_EQ(ErrnoStatus("x", EACCES).code(), Code::kPermission);
  EXPECT_EQ(ErrnoStatus("x", EPERM).code(), Code::kPermission);
  EXPECT_EQ(ErrnoStatus("x", ENOENT).code(), Code::kUnavailable);
  EXPECT_EQ(ErrnoStatus("x", ECONNREFUSED).code(), Code::kUnavailable);
  EXPECT_EQ(ErrnoStatus("x", EPIPE).code(), Code::kUnavailable);
  EXPECT_EQ(ErrnoStatus("x", ENOMEM).code(), Code::kHostMemory);
  EXPECT_EQ(ErrnoStatus("x", EMFILE).code(), Code::kHostMemory);
  EXPECT_EQ(ErrnoStatus("x", ENOSPC).code(), Code::kHostMemory);
  EXPECT_EQ(ErrnoStatus("x", EINTR).code(), Code::kInterrupted);
  EXPECT_EQ(ErrnoStatus("x", EBADF).code(), Code::kIo);
}

TEST(Status, ErrnoTextNamesTheThing) {
  EXPECT_EQ(ErrnoStatus("open /x", ENOENT).text(), "open /x: No such file or directory");
}

TEST(Format, GivesTheWholeTextAroundItsBufferSize) {
  for (size_t length : {0, 1, 254, 255, 256, 257, 5000}) {
    std::string text(length, 'x');
    EXPECT_EQ(Format("%s", text.c_str()), text) << length;
  }
}

TEST(Format, ReadsItsArgumentsTwiceWhenTheTextIsLong) {
  std::string text(300, 'x');
  EXPECT_EQ(Format("%d%s%d", 1, text.c_str(), 2), "1" + text + "2");
}

TEST(ReturnIfError, EndsTheFunctionOnlyOnAnError) {
  int reached = 0;
  auto run = [&](const Status& status) -> Status {
    RETURN_IF_ERROR(status);
    ++reached;
    return Internal("end");
  };
  EXPECT_EQ(run(OkStatus()).text(), "end");
  EXPECT_EQ(run(Invalid("first")).text(), "first");
  EXPECT_EQ(reached, 1);
}

TEST(CheckDeathTest, NamesTheBrokenInvariant) {
  EXPECT_DEATH(CHECK(1 + 1 == 3), "check failed: 1 \\+ 1 == 3");
}

TEST(Check, LooksAtItsConditionOnce) {
  int looks = 0;
  CHECK(++looks == 1);
  EXPECT_EQ(looks, 1);
}

}  // namespace
}  // namespace vineyard
