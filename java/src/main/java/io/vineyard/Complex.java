package io.vineyard;

/**
 * A complex number: Python's {@code complex}.
 *
 * @param real part
 * @param imaginary part
 */
public record Complex(double real, double imaginary) {}
