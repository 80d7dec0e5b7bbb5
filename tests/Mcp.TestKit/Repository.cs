namespace Mcp.TestKit;

/// <summary>The files of this repository.</summary>
public static class Repository
{
    public static readonly string Root = Find();

    public static IEnumerable<string> Sources(string under) =>
        Directory.EnumerateFiles(Path.Combine(Root, under), "*.cs", SearchOption.AllDirectories);

    /// <summary>Compares with a file that is kept in the repository; EXPECT=write writes it instead.</summary>
    public static void Expect(string file, string text)
    {
        var path = Path.Combine(Root, file);
        if (Environment.GetEnvironmentVariable("EXPECT") == "write")
            File.WriteAllText(path, text);
        Assert.Equal(File.Exists(path) ? File.ReadAllText(path) : "", text);
    }

    private static string Find()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory!.FullName, "Mcp.slnx")))
            directory = directory.Parent;
        return directory.FullName;
    }
}
