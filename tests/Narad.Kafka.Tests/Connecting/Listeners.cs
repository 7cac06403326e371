namespace Narad.Kafka.Tests.Connecting;

/// <summary>The real listeners that NARAD_TEST_KAFKA_* name; a test that needs one that is not there is skipped with the reason.</summary>
internal static class Listeners
{
    public static string Plaintext => Of("NARAD_TEST_KAFKA");

    public static string Sasl => Of("NARAD_TEST_KAFKA_SASL");

    public static string SaslTls => Of("NARAD_TEST_KAFKA_SASL_SSL");

    public static string MutualTls => Of("NARAD_TEST_KAFKA_MTLS");

    public static string MskIam => Of("NARAD_TEST_KAFKA_MSK_IAM");

    public static string Proxied => Of("NARAD_TEST_KAFKA_PROXIED");

    public static string Ca => Of("NARAD_TEST_KAFKA_CA");

    public static string OtherCa => Of("NARAD_TEST_KAFKA_OTHER_CA");

    public static string Certificate => Of("NARAD_TEST_KAFKA_CLIENT_CERT");

    public static string Key => Of("NARAD_TEST_KAFKA_CLIENT_KEY");

    public static string User => Of("NARAD_TEST_KAFKA_USER");

    public static string Password => Of("NARAD_TEST_KAFKA_PASSWORD");

    /// <summary>A file beside the client certificate.</summary>
    public static string Beside(string file) => Path.Combine(Path.GetDirectoryName(Certificate)!, file);

    public static int Port(string listener) => int.Parse(listener[(listener.LastIndexOf(':') + 1)..], System.Globalization.CultureInfo.InvariantCulture);

    private static string Of(string variable)
    {
        var value = Environment.GetEnvironmentVariable(variable);
        Skip.If(string.IsNullOrEmpty(value), $"{variable} is not set: it names a listener of a real Kafka cluster, or what belongs to it.");
        return value!;
    }
}
