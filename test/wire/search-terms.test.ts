/** The table of a search's fields, from which schemas, readers, client, library and command line derive. */
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { OPTION_CHECKS } from '../../src/retrieve/library/library-options.js';
import { SEARCH_OPTIONS, SEARCH_TERM_NAMES, SEARCH_TERMS } from '../../src/wire/search-terms.js';
import { parse } from '../architecture/sources.js';

/** The comments of an interface's members, by their names. */
function commentsOf(file: string, name: string): Record<string, string> {
  const comments: Record<string, string> = {};
  const visit = (node: ts.Node): void => {
    if (!ts.isInterfaceDeclaration(node) || node.name.text !== name) return;
    for (const member of node.members) {
      const text = ts.getJSDocCommentsAndTags(member).map((comment) => ts.getTextOfJSDocComment(comment.comment));
      comments[member.name!.getText()] = text.join(' ').replace(/\s+/g, ' ');
    }
  };
  parse(file).forEachChild(visit);
  return comments;
}

describe('the fields of a search', () => {
  it('have the same text in the types that programs see and in the table', () => {
    const texts = Object.fromEntries(SEARCH_TERM_NAMES.map((name) => [name, SEARCH_TERMS[name].text]));
    const comments = commentsOf('src/wire/search-terms.ts', 'SearchTerms');
    expect(comments).toEqual({ ...texts, k: 'Candidates to return; default 100.' });
    expect(texts['k']).toBe('Candidates to return; default 100.');
  });

  it('that are of the search itself are options of the library', () => {
    expect([...SEARCH_OPTIONS.keys()].filter((name) => !Object.hasOwn(OPTION_CHECKS, name))).toEqual([]);
    expect([...SEARCH_OPTIONS.keys()]).toContain('excludeIds');
  });
});
