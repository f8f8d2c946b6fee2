// This file is the only place that says how the C interface looks to Java: a failing status is an
// exception, an out-parameter is the result, a handle or an address is a long, text is UTF-8 bytes.
//
// Text crosses as byte[]: JNI's own strings are another encoding for NUL and for what lies above U+FFFF. What
// goes in ends with a NUL that the caller has put there (Utf8.java). An exception that is pending does
// not end a function at once: what was taken from the JVM is given back behind it.

// uint64_t is unsigned long, as in the C library.
#define SWIGWORDSIZE64
%include <stdint.i>
%javaconst(1);

%{
#include <jni.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "vineyard/vineyard.h"

static JavaVM* vy_vm;
// io.vineyard.internal.Callbacks. Weak: a class loader that nobody uses any more can be collected; its classes live at least
// as long as a call of theirs.
static jweak vy_callbacks;
static jmethodID vy_exception_of, vy_may_wait;

// Not 0 while this thread gives a client back: a daemon is told goodbye, whoever is interrupted.
static __thread int vy_releasing;

JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM* vm, void* reserved) {
  JNIEnv* env;
  jclass found;
  (void)reserved;
  if ((*vm)->GetEnv(vm, (void**)&env, JNI_VERSION_10) != JNI_OK) return JNI_ERR;
  found = (*env)->FindClass(env, "io/vineyard/internal/Callbacks");
  if (found == NULL) return JNI_ERR;
  vy_exception_of = (*env)->GetStaticMethodID(env, found, "exceptionOf", "(I[B)Ljava/lang/Throwable;");
  if (vy_exception_of == NULL) return JNI_ERR;
  vy_may_wait = (*env)->GetStaticMethodID(env, found, "mayWait", "()Z");
  if (vy_may_wait == NULL) return JNI_ERR;
  vy_callbacks = (*env)->NewWeakGlobalRef(env, found);
  vy_vm = vm;
  return vy_callbacks == NULL ? JNI_ERR : JNI_VERSION_10;
}

// Asked by a waiting thread: not after Thread.interrupt.
static int32_t vy_keep_waiting(void) {
  JNIEnv* env;
  jclass callbacks;
  jboolean may_wait;
  if (vy_releasing || (*vy_vm)->GetEnv(vy_vm, (void**)&env, JNI_VERSION_10) != JNI_OK) return 1;
  callbacks = (jclass)(*env)->NewLocalRef(env, vy_callbacks);
  if (callbacks == NULL) return 1;
  may_wait = (*env)->CallStaticBooleanMethod(env, callbacks, vy_may_wait);
  if ((*env)->ExceptionCheck(env)) {  // no memory for a frame: not a reason to end the wait
    (*env)->ExceptionClear(env);
    may_wait = JNI_TRUE;
  }
  (*env)->DeleteLocalRef(env, callbacks);
  return may_wait != JNI_FALSE;
}

static jbyteArray vy_bytes(JNIEnv* env, const void* data, size_t size) {
  jbyteArray made;
  if (size > INT32_MAX) {
    jclass error = (*env)->FindClass(env, "java/lang/OutOfMemoryError");
    if (error != NULL) (*env)->ThrowNew(env, error, "vineyard: an answer above 2 GiB");
    return NULL;
  }
  made = (*env)->NewByteArray(env, (jsize)size);
  if (made != NULL && size > 0) {
    (*env)->SetByteArrayRegion(env, made, 0, (jsize)size, (const jbyte*)data);
  }
  return made;
}

static jbyteArray vy_text(JNIEnv* env, const char* text) {
  return text == NULL ? NULL : vy_bytes(env, text, strlen(text));
}

// Throws what io.vineyard has for `status`, unless an exception is pending.
static void vy_throw_text(JNIEnv* env, int32_t status, const char* text) {
  jbyteArray bytes;
  jobject thrown;
  jclass callbacks;
  if ((*env)->ExceptionCheck(env)) return;
  bytes = vy_text(env, text);
  if (bytes == NULL) return;
  callbacks = (jclass)(*env)->NewLocalRef(env, vy_callbacks);
  if (callbacks == NULL) return;  // and an error is pending
  thrown = (*env)->CallStaticObjectMethod(env, callbacks, vy_exception_of, (jint)status, bytes);
  (*env)->DeleteLocalRef(env, callbacks);
  if (thrown != NULL && !(*env)->ExceptionCheck(env)) (*env)->Throw(env, (jthrowable)thrown);
  (*env)->DeleteLocalRef(env, bytes);
}

static void vy_throw(JNIEnv* env, int32_t status) {
  vy_throw_text(env, status, vineyard_error_text());
}

// Two or more numbers.
static jlongArray vy_longs(JNIEnv* env, const jlong* numbers, jsize count) {
  jlongArray made = (*env)->NewLongArray(env, count);
  if (made != NULL) (*env)->SetLongArrayRegion(env, made, 0, count, numbers);
  return made;
}
%}

// ---- what is passed as it is ----------------------------------------------------------------------------

// VY_NUMBER(JNI, Java, C types ...): the same bits, both ways.
%define VY_NUMBER(JNI, JAVA, CTYPE...)
%typemap(jni) CTYPE "JNI"
%typemap(jtype) CTYPE "JAVA"
%typemap(jstype) CTYPE "JAVA"
%typemap(in) CTYPE "$1 = ($1_ltype)$input;"
%typemap(out) CTYPE "$result = (JNI)$1;"
%typemap(javain) CTYPE "$javainput"
%typemap(javaout) CTYPE { return $jnicall; }
%enddef
VY_NUMBER(jlong, long, uint64_t)
VY_NUMBER(jlong, long, int64_t)
VY_NUMBER(jlong, long, vineyard_id)
VY_NUMBER(jint, int, int32_t)

%define VY_OBJECT(JNI, JAVA)
%typemap(jni) JNI "JNI"
%typemap(jtype) JNI "JAVA"
%typemap(jstype) JNI "JAVA"
%typemap(in) JNI "$1 = $input;"
%typemap(out) JNI "$result = $1;"
%typemap(javain) JNI "$javainput"
%typemap(javaout) JNI { return $jnicall; }
%enddef
VY_OBJECT(jbyteArray, byte[])
VY_OBJECT(jlongArray, long[])
VY_OBJECT(jobject, java.nio.ByteBuffer)
%typemap(in, numinputs=0) JNIEnv* "$1 = jenv;"

// ---- status -----------------------------------------------------------------------------------------------

// Of the functions that answer int32_t, those that can fail: nothing else is the result.
%define VY_CHECKED(NAME)
%typemap(jni) int32_t NAME "void"
%typemap(jtype) int32_t NAME "void"
%typemap(jstype) int32_t NAME "void"
%typemap(out) int32_t NAME "if ($1 != VINEYARD_OK) vy_throw(jenv, $1);"
%typemap(javaout) int32_t NAME { $jnicall; }
%enddef
// The result is their out-parameter, of which there is one.
%define VY_ANSWERS_LONG(NAME)
%typemap(jni) int32_t NAME "jlong"
%typemap(jtype) int32_t NAME "long"
%typemap(jstype) int32_t NAME "long"
%typemap(out) int32_t NAME "if ($1 != VINEYARD_OK) vy_throw(jenv, $1);"
%typemap(javaout) int32_t NAME { return $jnicall; }
%enddef
%typemap(in, numinputs=0) uint64_t* (uint64_t made = 0), vineyard_id* (uint64_t made = 0) "$1 = &made;"
%typemap(argout) uint64_t*, vineyard_id* "$result = (jlong)*$1;"
%define VY_ANSWERS_INT(NAME)
%typemap(out) int32_t NAME "if ($1 != VINEYARD_OK) vy_throw(jenv, $1);"
%enddef
%typemap(in, numinputs=0) int32_t* (int32_t made = 0) "$1 = &made;"
%typemap(argout) int32_t* "$result = (jint)*$1;"

VY_ANSWERS_LONG(vineyard_client_instance)
VY_ANSWERS_LONG(vineyard_client_clear)
VY_ANSWERS_LONG(vineyard_client_trim)
VY_ANSWERS_LONG(vineyard_object_verify)
VY_ANSWERS_LONG(vineyard_blob_put)
VY_ANSWERS_LONG(vineyard_blob_get)
VY_ANSWERS_LONG(vineyard_blob_share)
VY_ANSWERS_LONG(vineyard_blob_hold_mapping)
VY_CHECKED(vineyard_blob_writer_shrink)
VY_CHECKED(vineyard_blob_writer_seal)
VY_CHECKED(vineyard_blob_writer_abort)
VY_ANSWERS_LONG(vineyard_meta_create)
VY_ANSWERS_LONG(vineyard_meta_create_blob)
VY_CHECKED(vineyard_meta_add_id)
VY_CHECKED(vineyard_meta_add_meta)
VY_CHECKED(vineyard_meta_add_bytes)
VY_CHECKED(vineyard_meta_add_writer)
VY_ANSWERS_LONG(vineyard_object_get)
VY_ANSWERS_LONG(vineyard_object_member)
VY_ANSWERS_LONG(vineyard_object_member_blob)
VY_ANSWERS_LONG(vineyard_object_blob)
VY_ANSWERS_INT(vineyard_object_exists)
VY_ANSWERS_INT(vineyard_object_is_global)
VY_CHECKED(vineyard_object_wait)
VY_CHECKED(vineyard_object_evict)
VY_CHECKED(vineyard_object_load)
VY_CHECKED(vineyard_object_pin)
VY_CHECKED(vineyard_object_unpin)
VY_CHECKED(vineyard_label_set)
VY_ANSWERS_LONG(vineyard_name_list_open)
VY_CHECKED(vineyard_instance_forget)

// ---- text, handles, addresses -------------------------------------------------------------------------------

// In: with a NUL at its end; null is NULL. Out: without; null where there is none.
%typemap(jni) const char* "jbyteArray"
%typemap(jtype) const char* "byte[]"
%typemap(jstype) const char* "byte[]"
%typemap(javain) const char* "$javainput"
%typemap(javaout) const char* { return $jnicall; }
%typemap(in) const char* {
  $1 = NULL;
  if ($input != NULL) {
    $1 = (char*)(*jenv)->GetByteArrayElements(jenv, $input, NULL);
    if ($1 == NULL) return $null;
  }
}
%typemap(freearg) const char* {
  if ($input != NULL) (*jenv)->ReleaseByteArrayElements(jenv, $input, (jbyte*)$1, JNI_ABORT);
}
%typemap(out) const char* "$result = vy_text(jenv, $1);"

%define VY_HANDLE(TYPE)
%typemap(jni) TYPE*, const TYPE* "jlong"
%typemap(jtype) TYPE*, const TYPE* "long"
%typemap(jstype) TYPE*, const TYPE* "long"
%typemap(in) TYPE*, const TYPE* "$1 = (TYPE*)(intptr_t)$input;"
%typemap(javain) TYPE*, const TYPE* "$javainput"
%typemap(in, numinputs=0) TYPE** (TYPE* made = NULL) "$1 = &made;"
%typemap(argout) TYPE** "$result = (jlong)(intptr_t)*$1;"
%enddef
VY_HANDLE(vineyard_client)
VY_HANDLE(vineyard_blob)
VY_HANDLE(vineyard_mapping)
VY_HANDLE(vineyard_blob_writer)
VY_HANDLE(vineyard_meta)
VY_HANDLE(vineyard_object)
VY_HANDLE(vineyard_list)
VY_HANDLE(vineyard_name_list)
VY_HANDLE(vineyard_watch)

// An address.
%typemap(jni) void*, const void* "jlong"
%typemap(jtype) void*, const void* "long"
%typemap(jstype) void*, const void* "long"
%typemap(in) void*, const void* "$1 = (void*)(intptr_t)$input;"
%typemap(out) void*, const void* "$result = (jlong)(intptr_t)$1;"
%typemap(javain) void*, const void* "$javainput"
%typemap(javaout) void*, const void* { return $jnicall; }
